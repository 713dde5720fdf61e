/*
 * bcryptprimitives.dll for a Wine that has none (before 8.13): Rust's std asks it for random bytes. For tests only; every
 * Windows from 10 on has its own.
 */
#include <windows.h>

#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *bytes, SIZE_T length);

BOOL WINAPI ProcessPrng(BYTE *bytes, SIZE_T length) {
    const ULONG most = 1 << 20;
    while (length > 0) {
        const ULONG now = length < most ? (ULONG)length : most;
        if (!RtlGenRandom(bytes, now)) return FALSE;
        bytes += now;
        length -= now;
    }
    return TRUE;
}
