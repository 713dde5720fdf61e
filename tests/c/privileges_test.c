/*
 * A program with more rights than who started it takes nothing from the environment. As root; statically linked, since the
 * loader, too, heeds less of the environment there.
 */
#include "support.h"

#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { NOBODY = 65534, NOT_RAISED = 77 };

/* Makes a client from the environment. The status is the exit status. */
static int client_of_environment(void) {
    apivideo_client *client = NULL;
    apivideo_status status = apivideo_client_new(NULL, NULL, &client, NULL);
    apivideo_client_free(client);
    return (int)status;
}

/* The exit status of this program's file, started by nobody in particular. */
static int start(const char *file) {
    int status = 0;
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        char *arguments[] = {(char *)file, (char *)"child", NULL};
        char *environment[] = {(char *)"APIVIDEO_API_KEY=" KEY, NULL};
        if (setgid(NOBODY) == 0 && setuid(NOBODY) == 0) execve(file, arguments, environment);
        _exit(126);
    }
    REQUIRE(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void copy_of_this_program(const char *path, mode_t mode) {
    static char bytes[1 << 16];
    size_t length;
    FILE *from = fopen("/proc/self/exe", "rb"), *to = fopen(path, "wb");
    REQUIRE(from != NULL && to != NULL);
    while ((length = fread(bytes, 1, sizeof bytes, from)) > 0) REQUIRE(fwrite(bytes, 1, length, to) == length);
    fclose(from);
    REQUIRE(fclose(to) == 0 && chmod(path, mode) == 0);
}

int main(int argc, char **argv) {
    char folder[] = "/tmp/apivideo-XXXXXX", file[64];
    int raised;
    (void)argv;
    if (argc > 1) return geteuid() == 0 && getauxval(AT_SECURE) == 0 ? NOT_RAISED : client_of_environment();
    REQUIRE(mkdtemp(folder) != NULL && chmod(folder, 0755) == 0);
    snprintf(file, sizeof file, "%s/program", folder);

    copy_of_this_program(file, 0755);
    CHECK(start(file) == APIVIDEO_STATUS_OK);
    CHECK(chmod(file, 04755) == 0);
    raised = start(file);
    if (raised == NOT_RAISED) printf("skipped: set-user-ID has no effect in %s\n", folder);
    CHECK(raised == NOT_RAISED || raised == APIVIDEO_STATUS_NULL_ARGUMENT);

    remove(file);
    remove(folder);
    return report();
}
