/* The smallest program: is the library that was linked the header's? */
#include <apivideo.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    puts(apivideo_version());
    return strcmp(apivideo_version(), APIVIDEO_VERSION) != 0;
}
