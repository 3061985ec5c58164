#include <stdlib.h>

#include "core/private.h"

struct im_group *im_group_find(struct im_core *core, struct im_str key)
{
    struct im_group *group;
    unsigned hash = im_hash(core->hash_key, key.p, key.len);
    HASH_FIND_BYHASHVALUE(hh, core->groups, key.p, (unsigned)key.len, hash, group);
    return group;
}

static struct im_group *get(struct im_core *core, struct im_str name, struct im_str key)
{
    struct im_group *group = im_group_find(core, key);
    if (group)
        return group;
    group = im_zalloc(sizeof *group);
    im_name_set(&group->name, name, key);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, core->groups, im_name_key(&group->name).p, group->name.key_len,
                                im_hash(core->hash_key, key.p, key.len), group);
    return group;
}

void im_group_release(struct im_core *core, struct im_group *group)
{
    if (group->seats || group->watchers)
        return;
    HASH_DEL(core->groups, group);
    free(group);
}

/* A user is in few groups, a group may have many users: so the user's list is the one to look through. */
struct im_seat *im_seat_find(const struct im_group *group, const struct im_user *user)
{
    struct im_seat *seat = NULL;
    if (group == NULL || user == NULL)
        return NULL;
    DL_FOREACH2(user->seats, seat, user_next)
    {
        if (seat->group == group)
            break;
    }
    return seat;
}

void im_seat_add(struct im_core *core, struct im_user *user, struct im_str name, struct im_str key, enum im_role role,
                 uint32_t members)
{
    struct im_group *group = get(core, name, key);
    struct im_seat *seat = im_seat_find(group, user);
    group->members = members;
    if (seat == NULL) {
        seat = im_zalloc(sizeof *seat);
        seat->group = group;
        seat->user = user;
        DL_APPEND(group->seats, seat);
        DL_APPEND2(user->seats, seat, user_prev, user_next);
    }
    seat->role = role;
}

void im_seat_drop(struct im_core *core, struct im_seat *seat)
{
    struct im_group *group = seat->group;
    DL_DELETE(group->seats, seat);
    DL_DELETE2(seat->user->seats, seat, user_prev, user_next);
    free(seat);
    im_group_release(core, group);
}

uint32_t im_group_online(const struct im_group *group)
{
    uint32_t n = 0;
    const struct im_seat *seat;
    DL_FOREACH(group->seats, seat)
    {
        n += im_user_online(seat->user);
    }
    return n;
}

static struct im_user *concerned(struct im_core *core, const struct im_msg *m)
{
    return im_user_find(core, m->user_key.p ? m->user_key : m->from_key);
}

void im_group_before(struct im_core *core, const struct im_msg *m)
{
    struct im_user *user = concerned(core, m);
    struct im_group *group = im_group_find(core, m->to_key);
    struct im_seat *seat = im_seat_find(group, user);
    if (m->change == IM_CHANGE_CREATE || m->change == IM_CHANGE_JOIN) {
        if (group)
            group->members++;
        if (user && user->session_count > 0)
            im_seat_add(core, user, m->to, m->to_key, m->role, group ? group->members : 1);
    } else if (m->change == IM_CHANGE_ROLE && seat) {
        seat->role = m->role;
    }
}

static void drop(struct im_core *core, struct im_seat *seat)
{
    im_watch_lost(core, seat->user, seat->group);
    im_seat_drop(core, seat);
}

void im_group_after(struct im_core *core, const struct im_msg *m)
{
    struct im_group *group = im_group_find(core, m->to_key);
    if (group == NULL)
        return;
    if (m->change == IM_CHANGE_DESTROY) {
        for (struct im_seat *seat = group->seats, *next; seat; seat = next) {
            next = seat->next; /* the group goes with its last seat */
            drop(core, seat);
        }
        return;
    }
    if (m->change != IM_CHANGE_LEAVE && m->change != IM_CHANGE_KICK && m->change != IM_CHANGE_BAN)
        return;
    struct im_seat *seat = im_seat_find(group, concerned(core, m));
    if (group->members > 0)
        group->members--;
    if (seat)
        drop(core, seat);
}
