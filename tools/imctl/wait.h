#ifndef IM_TOOLS_IMCTL_WAIT_H
#define IM_TOOLS_IMCTL_WAIT_H

/* "wait ready|stopped [TIME]": the one command that is not the server's, which may not be there. Returns an exit
 * status. */
int wait_for(const char *socket, char **words, int count);

#endif
