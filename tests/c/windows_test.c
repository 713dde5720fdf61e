/* What is Windows' own: the end of a process, pages, sockets, names of files, and certificates that the system judges. */
#include "imports_windows.h"
#include "support.h"

/* --- The process --- */

/* Runs this program once more, for what `mode` names. Its exit code. */
static DWORD in_child(const char *mode) {
    char program[MAX_PATH], command[MAX_PATH + 64];
    STARTUPINFOA how;
    PROCESS_INFORMATION child;
    DWORD code = 1;
    memset(&how, 0, sizeof how);
    how.cb = sizeof how;
    GetModuleFileNameA(NULL, program, sizeof program);
    snprintf(command, sizeof command, "\"%s\" %s", program, mode);
    REQUIRE(CreateProcessA(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &how, &child));
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, &code);
    CloseHandle(child.hProcess);
    CloseHandle(child.hThread);
    return code;
}

/* A client one of whose exchanges is under way, and hangs. */
static apivideo_client *client_that_hangs(void) {
    apivideo_config *config = test_config();
    apivideo_operation *pending = NULL;
    apivideo_client *client;
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}");
    REQUIRE(apivideo_config_set_attempt_timeout_ms(config, 60000, NULL) == APIVIDEO_STATUS_OK);
    client = client_with(config);
    REQUIRE(apivideo_get_token_start(client, 0, &pending, NULL) == APIVIDEO_STATUS_OK);
    apivideo_operation_free(pending);
    await_request("api_key");
    return client;
}

static void exit_is_not_delayed_by_a_hung_exchange(void) {
    int64_t start = now_ms();
    CHECK(in_child("exit-while-an-exchange-hangs") == 0);
    CHECK(now_ms() - start < 10000);
}

static void no_socket_is_inherited(void) {
    apivideo_client *client = client_that_hangs();
    uintptr_t number;
    int sockets = 0;
    for (number = 4; number < 0x4000; number += 4) {
        int kind, length = sizeof kind;
        DWORD flags = 0;
        if (getsockopt((SOCKET)number, SOL_SOCKET, SO_TYPE, (char *)&kind, &length) != 0 || kind != SOCK_STREAM) continue;
        sockets++;
        CHECK(GetHandleInformation((HANDLE)number, &flags) && (flags & HANDLE_FLAG_INHERIT) == 0);
    }
    CHECK(sockets > 0);
    apivideo_client_free(client);
}

static int much_stack_was_used; /* Atomic. */
static DWORD the_caller;

static void use_much_stack(int32_t level, const char *line, void *unused) {
    volatile char much[1000000];
    size_t i;
    (void)level, (void)line, (void)unused;
    for (i = 0; i < sizeof much; i += 1024) much[i] = 1;
    if (GetCurrentThreadId() != the_caller) __atomic_store_n(&much_stack_was_used, (int)much[0], __ATOMIC_RELAXED);
}

static void a_callback_on_a_library_thread_has_1_mib(void) {
    apivideo_config *config = test_config();
    apivideo_client *client;
    const apivideo_token *token = NULL;
    const int64_t start = now_ms();
    the_caller = GetCurrentThreadId();
    REQUIRE(apivideo_config_set_log(config, APIVIDEO_LOG_LEVEL_DEBUG, use_much_stack, NULL, NULL, NULL) == APIVIDEO_STATUS_OK);
    client = client_with(config);
    /* A line may also come on this thread. */
    while (!__atomic_load_n(&much_stack_was_used, __ATOMIC_RELAXED) && now_ms() - start < 20000) {
        REQUIRE(apivideo_authenticate(client, &token, NULL) == APIVIDEO_STATUS_OK);
        apivideo_token_free(token);
    }
    apivideo_client_free(client);
    CHECK(__atomic_load_n(&much_stack_was_used, __ATOMIC_RELAXED));
}

/* --- Pages --- */

static void a_secret_has_pages_of_its_own(void) {
    apivideo_client *client = test_client();
    const apivideo_token *token = NULL;
    const char *text;
    MEMORY_BASIC_INFORMATION pages;
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    text = apivideo_token_access_token(token);
    REQUIRE(VirtualQuery(text, &pages, sizeof pages) != 0);
    CHECK(pages.State == MEM_COMMIT && pages.Type == MEM_PRIVATE && pages.Protect == PAGE_READWRITE);
    CHECK((uintptr_t)text - (uintptr_t)pages.AllocationBase < 4096 && pages.RegionSize <= 16384);
    apivideo_token_free(token);
    apivideo_client_free(client);
}

/* --- What the system says --- */

/* The status of a client's first token with these settings, which it frees, and the error's text. */
static apivideo_status first_token(apivideo_config *config, char *why, size_t room) {
    apivideo_client *client = client_with(config);
    const apivideo_token *token = NULL;
    apivideo_error *error = NULL;
    apivideo_status status = apivideo_get_token(client, &token, &error);
    snprintf(why, room, "%s", error == NULL ? "" : apivideo_error_message(error));
    apivideo_error_free(error);
    apivideo_token_free(token);
    apivideo_client_free(client);
    return status;
}

static int says(const char *text, const char *part) {
    if (strstr(text, part) != NULL) return 1;
    fprintf(stderr, "it says: %s\n", text);
    return 0;
}

static int refused_sockets; /* Atomic. */

static SOCKET WSAAPI no_socket(int family, int type, int protocol, WSAPROTOCOL_INFOW *info, GROUP group, DWORD flags) {
    if (__atomic_load_n(&refused_sockets, __ATOMIC_RELAXED)) {
        WSASetLastError(WSAENOBUFS);
        return INVALID_SOCKET;
    }
    return WSASocketW(family, type, protocol, info, group, flags);
}

static void without_sockets_there_is_a_status(void) {
    SOCKET(WSAAPI * function)(int, int, int, WSAPROTOCOL_INFOW *, GROUP, DWORD) = no_socket;
    apivideo_config *config = test_config();
    char why[512];
    void *address;
    ADDRESS_OF(function, address);
    take_over("ws2_32.dll", "WSASocketW", address);
    __atomic_store_n(&refused_sockets, 1, __ATOMIC_RELAXED);
    CHECK(first_token(config, why, sizeof why) == APIVIDEO_STATUS_SYSTEM_ERROR);
    CHECK(says(why, "(Windows error 10055)"));
    __atomic_store_n(&refused_sockets, 0, __ATOMIC_RELAXED);
}

static void the_systems_errors_are_in_one_language(void) {
    apivideo_config *config = test_config();
    apivideo_error *error = NULL;
    char why[512];
    CHECK(apivideo_config_set_ca_file(config, "C:\\no\\such\\file.pem", &error) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(says(apivideo_error_message(error), "cannot be read: entity not found (Windows error "));
    apivideo_error_free(error);
    REQUIRE(apivideo_config_set_base_url(config, "http://127.0.0.1:1", NULL) == APIVIDEO_STATUS_OK);
    CHECK(first_token(config, why, sizeof why) == APIVIDEO_STATUS_NETWORK_ERROR);
    CHECK(says(why, "connection refused (Windows error 10061)"));
}

/* --- Certificates --- */

/* A variable of the environment in UTF-8, whatever this machine's code page. */
static const char *utf8_variable(const wchar_t *name) {
    static char text[1024];
    wchar_t wide[1024];
    const DWORD length = GetEnvironmentVariableW(name, wide, 1024);
    REQUIRE(length > 0 && length < 1024);
    REQUIRE(WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, sizeof text, NULL, NULL) > 0);
    return text;
}

static apivideo_config *tls_config(void) {
    apivideo_config *config = test_config();
    REQUIRE(apivideo_config_set_base_url(config, utf8_variable(L"APIVIDEO_TEST_TLS_URL"), NULL) == APIVIDEO_STATUS_OK);
    return config;
}

static void a_ca_file_may_have_any_name(void) {
    apivideo_config *config = tls_config();
    const char *path = utf8_variable(L"APIVIDEO_TEST_CA_FILE");
    char why[512];
    CHECK(says(path, "\xc3\xa9t\xc3\xa9 \xe6\xbc\xa2\xe5\xad\x97")); /* été 漢字 */
    REQUIRE(apivideo_config_set_ca_file(config, path, NULL) == APIVIDEO_STATUS_OK);
    CHECK(first_token(config, why, sizeof why) == APIVIDEO_STATUS_OK || says(why, "no error"));
}

static void without_a_ca_file_windows_is_asked(void) {
    char why[512];
    CHECK(first_token(tls_config(), why, sizeof why) == APIVIDEO_STATUS_TLS_ERROR);
    CHECK(says(why, "its certificate")); /* Wine does not say more. */
}

typedef BOOL(WINAPI *judge)(HCERTCHAINENGINE, PCCERT_CONTEXT, LPFILETIME, HCERTSTORE, PCERT_CHAIN_PARA, DWORD, LPVOID,
                            PCCERT_CHAIN_CONTEXT *);

static LONG judgements; /* Atomic. */
static HANDLE judge_now;

static BOOL WINAPI judge_slowly(HCERTCHAINENGINE engine, PCCERT_CONTEXT certificate, LPFILETIME time, HCERTSTORE store,
                                PCERT_CHAIN_PARA how, DWORD flags, LPVOID reserved, PCCERT_CHAIN_CONTEXT *chain) {
    const FARPROC found = GetProcAddress(GetModuleHandleA("crypt32.dll"), "CertGetCertificateChain");
    judge function;
    memcpy(&function, &found, sizeof function);
    InterlockedIncrement(&judgements);
    WaitForSingleObject(judge_now, INFINITE);
    return function(engine, certificate, time, store, how, flags, reserved, chain);
}

/* Windows may ask over the network whether a certificate was revoked, and wait for that. */
static void a_system_that_judges_slowly_is_asked_once_and_its_verdict_is_used(void) {
    const judge function = judge_slowly;
    char why[512];
    void *address;
    int try;
    judge_now = CreateEventA(NULL, TRUE, FALSE, NULL);
    ADDRESS_OF(function, address);
    take_over("crypt32.dll", "CertGetCertificateChain", address);
    for (try = 0; try < 3; try++) {
        apivideo_config *config = tls_config();
        const int64_t start = now_ms();
        REQUIRE(apivideo_config_set_attempt_timeout_ms(config, 20000, NULL) == APIVIDEO_STATUS_OK);
        REQUIRE(apivideo_config_set_connect_timeout_ms(config, 1000, NULL) == APIVIDEO_STATUS_OK);
        CHECK(first_token(config, why, sizeof why) == APIVIDEO_STATUS_TIMEOUT);
        CHECK(says(why, "the system did not judge its certificate within the connect timeout"));
        CHECK(now_ms() - start < 10000);
    }
    CHECK(InterlockedCompareExchange(&judgements, 0, 0) == 1);
    SetEvent(judge_now);
    CHECK(first_token(tls_config(), why, sizeof why) == APIVIDEO_STATUS_TLS_ERROR);
    CHECK(says(why, "its certificate"));
    CHECK(InterlockedCompareExchange(&judgements, 0, 0) == 1);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "exit-while-an-exchange-hangs") == 0) {
        client_that_hangs();
        exit(0); /* With its atexit handlers. */
    }
    RUN(exit_is_not_delayed_by_a_hung_exchange);
    RUN(no_socket_is_inherited);
    RUN(a_callback_on_a_library_thread_has_1_mib);
    RUN(a_secret_has_pages_of_its_own);
    RUN(without_sockets_there_is_a_status);
    RUN(the_systems_errors_are_in_one_language);
    RUN(a_ca_file_may_have_any_name);
    RUN(without_a_ca_file_windows_is_asked);
    RUN(a_system_that_judges_slowly_is_asked_once_and_its_verdict_is_used); /* Last: it stays so. */
    return report();
}
