/* A library of another ABI, for a test. */
const char *apivideo_version(void) { return "9.9.9"; }
unsigned apivideo_abi_version(void) { return 2; }
