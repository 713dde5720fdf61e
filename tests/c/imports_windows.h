/*
 * Windows: what the loaded library imports, exchanged for a test's own. There a program's function is never called instead of
 * a system's, so the addresses that the library calls through are changed.
 */
#ifndef APIVIDEO_TEST_IMPORTS_WINDOWS_H
#define APIVIDEO_TEST_IMPORTS_WINDOWS_H

#include <winsock2.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every pointer to a function has this size and representation. */
#define ADDRESS_OF(function, address) memcpy(&(address), &(function), sizeof(address))

/* Every entry of the library's import table that points to `from`. How many they are. */
static inline int replace_import(unsigned char *library, const void *from, void *to) {
    const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)library;
    const IMAGE_NT_HEADERS *headers = (const IMAGE_NT_HEADERS *)(library + dos->e_lfanew);
    const IMAGE_DATA_DIRECTORY where = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
    const IMAGE_IMPORT_DESCRIPTOR *dll = (const IMAGE_IMPORT_DESCRIPTOR *)(library + where.VirtualAddress);
    int replaced = 0;
    for (; dll->Name != 0; dll++) {
        void **entry = (void **)(library + dll->FirstThunk);
        for (; *entry != NULL; entry++) {
            DWORD before;
            if (*entry != from) continue;
            VirtualProtect(entry, sizeof *entry, PAGE_READWRITE, &before);
            *entry = to;
            VirtualProtect(entry, sizeof *entry, before, &before);
            replaced++;
        }
    }
    return replaced;
}

/* The library calls `to` where it called the function `name` of a system's DLL. A test without that would test nothing. */
static inline void take_over(const char *dll, const char *name, void *to) {
    unsigned char *library = (unsigned char *)GetModuleHandleA("apivideo.dll");
    FARPROC found = GetProcAddress(GetModuleHandleA(dll), name);
    void *from;
    ADDRESS_OF(found, from);
    if (library == NULL || from == NULL || replace_import(library, from, to) == 0) {
        fprintf(stderr, "the library does not import %s\n", name);
        abort();
    }
}

#endif
