/* The time that dlopen() takes for a library, in microseconds: load FILE. */
#include "first_token.h"

#include <dlfcn.h>

int main(int argc, char **argv) {
    double began = ms_now();
    must(argc == 2 && dlopen(argv[1], RTLD_NOW) != NULL, "dlopen");
    printf("%.0f\n", (ms_now() - began) * 1e3);
    return 0;
}
