#include <stdlib.h>
#include <string.h>

#include "stores/memory.h"
#include "stores/result.h"

/* Where the newest edit that the reader sees is; 0: there is none. */
static uint64_t newest_edit(const struct im_memory *m, const struct im_mem_view *reader,
                            const struct im_mem_state *state)
{
    for (size_t i = state->edits.count; i > 0; i--) {
        uint64_t pos = state->edits.items[i - 1];
        if (reader == NULL || im_mem_sees_pos(m, reader, pos))
            return pos;
    }
    return 0;
}

struct im_msg im_mem_stand(const struct im_memory *m, const struct im_mem_view *reader, const struct im_mem_slot *slot)
{
    struct im_msg msg = im_mem_msg(m, slot->pos);
    uint64_t pos = slot->state ? newest_edit(m, reader, slot->state) : 0;
    if (pos == 0)
        return msg;
    struct im_msg edit = im_mem_msg(m, pos);
    msg.mime = (struct im_str){0};
    msg.body = edit.body;
    msg.mentions = edit.mentions;
    msg.edited_ms = edit.ts_ms;
    return msg;
}

static bool reaction_is(const struct im_mem_reaction *r, struct im_str emoji)
{
    return im_str_eq(emoji, (struct im_str){r->emoji, r->len});
}

/* Is this the first of its emoji? */
static bool reaction_leads(const struct im_mem_state *s, size_t at)
{
    struct im_str emoji = {s->reactions[at].emoji, s->reactions[at].len};
    for (size_t i = 0; i < at; i++)
        if (reaction_is(&s->reactions[i], emoji))
            return false;
    return true;
}

static void write_reactions(struct im_reactions *out, const struct im_mem_state *s, const struct im_mem_user *reader)
{
    for (size_t i = 0; i < s->reaction_count; i++) {
        struct im_str emoji = {s->reactions[i].emoji, s->reactions[i].len};
        uint64_t count = 0;
        bool mine = false;
        if (!reaction_leads(s, i))
            continue;
        for (size_t j = i; j < s->reaction_count; j++) {
            const struct im_mem_reaction *r = &s->reactions[j];
            if (!reaction_is(r, emoji) || (r->hidden && reader && r->user != reader))
                continue;
            count++;
            mine = mine || r->user == reader;
        }
        if (count > 0)
            im_reactions_add(out, emoji, count, mine);
    }
}

struct im_event *im_mem_standing(const struct im_memory *m, const struct im_mem_view *reader,
                                 const struct im_mem_slot *slot)
{
    struct im_reactions reactions = {0};
    struct im_msg msg = im_mem_stand(m, reader, slot);
    if (slot->state)
        write_reactions(&reactions, slot->state, reader ? reader->user : NULL);
    msg.reactions = (struct im_str){reactions.text, reactions.len};
    struct im_event *event = im_event_new(im_mem_type(m, slot->pos), &msg);
    free(reactions.text);
    return event;
}

struct im_mem_state *im_mem_state_need(struct im_mem_slot *slot)
{
    if (slot->state == NULL)
        slot->state = im_zalloc(sizeof *slot->state);
    return slot->state;
}

static void drop_reactions(struct im_mem_state *s)
{
    for (size_t i = 0; i < s->reaction_count; i++)
        free(s->reactions[i].emoji);
    s->reaction_count = 0;
}

void im_mem_state_free(struct im_mem_slot *slot)
{
    if (slot->state == NULL)
        return;
    drop_reactions(slot->state);
    free(slot->state->reactions);
    free(slot->state->edits.items);
    free(slot->state);
    slot->state = NULL;
}

void im_mem_erase_body(struct im_memory *m, uint64_t pos)
{
    struct im_mem_record *r = im_mem_record(m, pos);
    struct im_mem_kept *old = r->kept;
    struct im_msg msg = im_mem_msg(m, pos);
    msg.body = IM_STR("");
    msg.mime = msg.mentions = (struct im_str){0};
    msg.deleted = true;
    r->kept = im_mem_keep(m, im_mem_type(m, pos), &msg, false);
    im_mem_kept_drop(m, &old);
}

void im_mem_erase_message(struct im_memory *m, struct im_mem_slot *slot)
{
    struct im_mem_state *s = im_mem_state_need(slot);
    im_mem_erase_body(m, slot->pos);
    for (size_t i = 0; i < s->edits.count; i++)
        im_mem_erase_body(m, s->edits.items[i]);
    drop_reactions(s);
}

bool im_mem_reacted(const struct im_mem_state *s, const struct im_mem_user *user, struct im_str emoji)
{
    for (size_t i = 0; s && i < s->reaction_count; i++)
        if (s->reactions[i].user == user && reaction_is(&s->reactions[i], emoji))
            return true;
    return false;
}

uint32_t im_mem_emoji(const struct im_mem_state *s, struct im_str emoji, bool *there)
{
    uint32_t count = 0;
    *there = false;
    for (size_t i = 0; s && i < s->reaction_count; i++) {
        *there = *there || reaction_is(&s->reactions[i], emoji);
        count += reaction_leads(s, i);
    }
    return count;
}

static void take_back(struct im_mem_state *s, const struct im_mem_user *user, struct im_str emoji)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->reaction_count; i++) {
        struct im_mem_reaction *r = &s->reactions[i];
        if (r->user == user && reaction_is(r, emoji))
            free(r->emoji);
        else
            s->reactions[kept++] = *r;
    }
    s->reaction_count = kept;
}

void im_mem_react(struct im_mem_slot *slot, const struct im_mem_user *user, const struct im_msg *msg)
{
    struct im_mem_state *s = im_mem_state_need(slot);
    if (!msg->on) {
        take_back(s, user, msg->body);
        return;
    }
    s->reactions = im_mem_grow(s->reactions, s->reaction_count, &s->reaction_room, sizeof *s->reactions);
    s->reactions[s->reaction_count++] =
        (struct im_mem_reaction){user, msg->hidden, im_strndup(msg->body.p, msg->body.len), msg->body.len};
}

enum im_reason im_mem_find(const struct im_memory *m, struct im_store_find *op)
{
    const struct im_mem_user *from = op->pos == 0 ? im_mem_user_find(m, op->from) : NULL;
    uint64_t pos = from ? im_mem_sent_find(m, from, op->cid, im_mem_sent_hash(m, from, op->cid)) : op->pos;
    if (im_mem_log_has(m, pos))
        op->event = im_mem_event(m, pos);
    return IM_OK;
}
