/* A program without a C library, for a linker that finds nothing but apivideo.lib: it ends with 42. */
#include <apivideo.h>

int start(void) { return apivideo_abi_version() == APIVIDEO_ABI_VERSION && apivideo_version()[0] == '0' ? 42 : 1; }
