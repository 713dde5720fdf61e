/*
 * libapivideo: valid api.video bearer tokens for any thread of any program.
 *
 * SPDX-License-Identifier: MIT
 * Generated from src/capi by `make header`; do not edit.
 *
 * What holds for every function
 * -----------------------------
 *
 * Results. A function that can fail returns an apivideo_status; success is 0 (APIVIDEO_STATUS_OK).
 * The numbers are frozen. Results go to out-parameters. Each is set to NULL on entry, so it is NULL
 * after a failure. A NULL out-parameter fails with NULL_ARGUMENT unless its function says that it
 * may be NULL, and nothing else is done.
 *
 * Errors. The last parameter, error_out, may be NULL; then no error object is made. Otherwise
 * *error_out is NULL after a success. After a failure it is an apivideo_error, which has the
 * status, a message, the HTTP status, api.video's problem, and whether and when to retry. Free it
 * with apivideo_error_free(). There is no global or thread-local last error. Any function may fail
 * with INTERNAL: the library caught a bug of its own, and goes on working.
 *
 * Threads. Where a function takes a pointer to const, any number of threads may call it at once.
 * Setters and _free functions need their object to themselves. There is no init function and no
 * global setting.
 *
 * Stacks. A call needs 64 KiB of stack. Where the system refuses a thread, a waiting call makes the
 * exchange itself and needs 256 KiB. A callback on a thread of the library has at least 1 MiB.
 *
 * Cancellation. pthread_cancel() of a thread that is in a call is put off: the thread ends at its
 * next cancellation point after the call. Its cancel type must be deferred, which is the default.
 *
 * Ownership. The caller owns what a function hands out, and frees it with its type's _free
 * function. The library copies what it is given, or reads it only during the call. _free(NULL) is
 * fine. Every other pointer must come from this library and must not be freed yet.
 *
 * Strings. In: UTF-8 with a NUL at the end. NULL fails with NULL_ARGUMENT, and malformed UTF-8 with
 * INVALID_UTF8. Out: with a NUL at the end and never NULL. A text that does not exist is empty. It
 * lives as long as the object that it comes from.
 *
 * Environment. When a client is made, these variables fill in for what the program leaves out. What
 * the program sets itself goes before them.
 *
 *   APIVIDEO_API_KEY      the API key, if api_key is NULL
 *   APIVIDEO_BASE_URL     the server, as for apivideo_config_set_base_url()
 *   APIVIDEO_ENVIRONMENT  "production" or "sandbox", if APIVIDEO_BASE_URL names no server
 *   APIVIDEO_CA_FILE      the file of certificates, as for apivideo_config_set_ca_file()
 *   APIVIDEO_STORE        where processes share the token, as for apivideo_config_set_store()
 *
 * A program that sets the environment or the base URL gets its server from neither variable. A
 * variable that is empty counts as not set. A value that cannot be used makes apivideo_client_new()
 * fail with INVALID_ARGUMENT or INVALID_UTF8, and the message names the variable. A program that
 * has more rights than its user (set-user-ID, file capabilities) reads no variable, those of
 * proxies and certificates included.
 *
 * Time. Durations are in milliseconds, as the names say. Every wait has an end.
 *
 * Processes. After fork() a child may go on using its clients and tokens: it keeps the access
 * token, and gets its own from then on, over connections of its own. In the child the parent's
 * operations are CANCELLED, and counters begin at 0. A child that will call exec() need not call
 * anything. The library starts short-lived threads, which block all signals, and one thread that
 * lives as long as there is something to time: an operation, an idle connection, or a client that
 * is kept fresh. It installs no signal handlers and never delays exit.
 *
 * Descriptors. An exchange for a token has a socket, which is closed at its end. The connections
 * of requests are kept for the next request, closed when they were idle for 30 seconds, and left
 * alone by a forked child. exec() closes all of them. A program must not close descriptors that it
 * does not own, as some daemons do, while a call is under way: an exchange that loses its socket
 * fails or times out, and is made again. But if the program has opened something else under the
 * same number, the library may read from it and write to it. A connection that waits for the next
 * request is safe: before it is used or closed, the library makes sure that its descriptor still is
 * that very socket, and otherwise touches it no more.
 *
 * Secrets. Keys and tokens are wiped when they are freed. No message and no line of the log
 * contains one.
 *
 * Memory. If there is none left, the process is aborted, as is usual for Rust. A client needs a few
 * kilobytes, and an exchange less than a megabyte. Where more is needed, for a request's reply and
 * for the chunks that a program writes, there is an error instead: APIVIDEO_STATUS_SYSTEM_ERROR.
 */


#ifndef APIVIDEO_H
#define APIVIDEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this header, as text. */
#define APIVIDEO_VERSION "0.1.0"

/** The first number of the header's version. */
#define APIVIDEO_VERSION_MAJOR 0

/** The second number of the header's version. Before 1.0, another one may mean another ABI. */
#define APIVIDEO_VERSION_MINOR 1

/** The third number of the header's version. */
#define APIVIDEO_VERSION_PATCH 0


/**
 * The ABI that this header describes. A library fits if `apivideo_abi_version()` gives the same
 * number.
 *
 * It grows when something changes or is removed. It stays when something is only added.
 */
#define APIVIDEO_ABI_VERSION 1

/**
 * The result of every call.
 *
 * The numbers are frozen: a number never changes and never gets another meaning.
 */
enum apivideo_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The call succeeded.
   */
  APIVIDEO_STATUS_OK = 0,
  /**
   * An argument or a setting is outside its documented range. The message names it. Do not
   * retry.
   */
  APIVIDEO_STATUS_INVALID_ARGUMENT = 1,
  /**
   * A pointer is NULL that must not be. Do not retry.
   */
  APIVIDEO_STATUS_NULL_ARGUMENT = 2,
  /**
   * A string is not valid UTF-8. Do not retry.
   */
  APIVIDEO_STATUS_INVALID_UTF8 = 3,
  /**
   * api.video itself refused the API key: it is wrong or revoked, it belongs to the other
   * environment, or its account is suspended. Check the key. Later calls try it again, first
   * after 30 seconds and then after 5 minutes at most, so it is enough to repair the key on the
   * server.
   */
  APIVIDEO_STATUS_KEY_REJECTED = 4,
  /**
   * `apivideo_refresh`: api.video refused the refresh token. This is routine, since any
   * authentication with the same key makes it invalid.
   */
  APIVIDEO_STATUS_REFRESH_REJECTED = 5,
  /**
   * `apivideo_refresh`: there is no refresh token to send. Authenticate first.
   */
  APIVIDEO_STATUS_NO_REFRESH_TOKEN = 6,
  /**
   * `apivideo_invalidate_token`: the API rejected a token that replaced a rejected one less than
   * 60 seconds ago. Another token would not help. Check what the key may do, and try again
   * later.
   */
  APIVIDEO_STATUS_TOKEN_REJECTED = 7,
  /**
   * api.video asked to slow down (429). Retry after the error's delay.
   */
  APIVIDEO_STATUS_RATE_LIMITED = 8,
  /**
   * api.video answered with 5xx or 408. Retry after the error's delay.
   */
  APIVIDEO_STATUS_SERVER_ERROR = 9,
  /**
   * The reply is not one that api.video documents: it is malformed, too large, a redirect, or
   * the page of a firewall or a sign-in. Check the base URL and what stands in between. Retry
   * after the error's delay.
   */
  APIVIDEO_STATUS_PROTOCOL_ERROR = 10,
  /**
   * There was no connection, or it was lost: name resolution, connect, proxy, reset, a reply cut
   * short. Retry after the error's delay.
   */
  APIVIDEO_STATUS_NETWORK_ERROR = 11,
  /**
   * The TLS handshake failed: unknown CA, wrong host, expired certificate. Check the CA file,
   * the host and the clock.
   */
  APIVIDEO_STATUS_TLS_ERROR = 12,
  /**
   * There was no answer in time: the limit of the exchange or the caller's own wait is over. An
   * exchange that others share goes on.
   */
  APIVIDEO_STATUS_TIMEOUT = 13,
  /**
   * The operation is not complete yet. Wait again.
   */
  APIVIDEO_STATUS_PENDING = 14,
  /**
   * The operation was cancelled, or it belongs to the process that this one was forked from.
   */
  APIVIDEO_STATUS_CANCELLED = 15,
  /**
   * The client was freed while the call was waiting.
   */
  APIVIDEO_STATUS_CLOSED = 16,
  /**
   * The operating system refused a thread or a file descriptor. Retry later.
   */
  APIVIDEO_STATUS_SYSTEM_ERROR = 17,
  /**
   * A bug in this library. The library goes on working. Please report it.
   */
  APIVIDEO_STATUS_INTERNAL = 18,
  /**
   * A request: the API answered with 4xx, and not with 408 or 429. The error has api.video's
   * problem, with each of its faults. Do not retry it as it is. With 401, two tokens were
   * rejected, or something other than the token was, which the problem's `type` names.
   */
  APIVIDEO_STATUS_REQUEST_REJECTED = 19,
  /**
   * A file to upload cannot be read, or is not the file that it was when the upload began. Do
   * not retry.
   */
  APIVIDEO_STATUS_FILE_ERROR = 20,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apivideo_status apivideo_status;
#else
typedef int32_t apivideo_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a client counts. "Now" marks a present value; all others count since the client was made.
 */
enum apivideo_statistic
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Requests to `POST /auth/api-key`.
   */
  APIVIDEO_STATISTIC_AUTHENTICATE_REQUESTS = 0,
  /**
   * Requests to `POST /auth/refresh`.
   */
  APIVIDEO_STATISTIC_REFRESH_REQUESTS = 1,
  /**
   * Tokens received.
   */
  APIVIDEO_STATISTIC_TOKENS_GRANTED = 2,
  /**
   * Refresh tokens that api.video refused.
   */
  APIVIDEO_STATISTIC_REFRESH_REJECTIONS = 3,
  /**
   * Times that api.video refused the API key.
   */
  APIVIDEO_STATISTIC_KEY_REJECTIONS = 4,
  /**
   * Exchanges that failed for any other reason.
   */
  APIVIDEO_STATISTIC_FAILURES = 5,
  /**
   * Tokens that the client withdrew because the API rejected them.
   */
  APIVIDEO_STATISTIC_INVALIDATIONS = 6,
  /**
   * Callers that stopped waiting before there was an answer.
   */
  APIVIDEO_STATISTIC_TIMEOUTS = 7,
  /**
   * Now: callers that wait.
   */
  APIVIDEO_STATISTIC_WAITERS = 8,
  /**
   * Now: exchanges that have failed since the last token.
   */
  APIVIDEO_STATISTIC_CONSECUTIVE_FAILURES = 9,
  /**
   * Now: milliseconds until the next try, while exchanges fail; else 0.
   */
  APIVIDEO_STATISTIC_RETRY_IN_MS = 10,
  /**
   * Now: 1 while an exchange is under way, else 0.
   */
  APIVIDEO_STATISTIC_EXCHANGES_IN_FLIGHT = 11,
  /**
   * Tokens taken from the store, which another process got.
   */
  APIVIDEO_STATISTIC_TOKENS_ADOPTED = 12,
  /**
   * Operations of the store that failed.
   */
  APIVIDEO_STATISTIC_STORE_FAILURES = 13,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apivideo_statistic apivideo_statistic;
#else
typedef int32_t apivideo_statistic;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a program's own store has to say.
 */
enum apivideo_store_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Loaded, or there is nothing; swapped.
   */
  APIVIDEO_STORE_RESULT_OK = 0,
  /**
   * Nothing was changed: the version is not the one that was expected.
   */
  APIVIDEO_STORE_RESULT_CONFLICT = 1,
  /**
   * The store failed, and it is not known whether anything was changed.
   */
  APIVIDEO_STORE_RESULT_FAILED = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apivideo_store_result apivideo_store_result;
#else
typedef int32_t apivideo_store_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Which of api.video's two environments a key belongs to.
 */
enum apivideo_environment
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * `https://ws.api.video`.
   */
  APIVIDEO_ENVIRONMENT_PRODUCTION = 0,
  /**
   * `https://sandbox.api.video`.
   */
  APIVIDEO_ENVIRONMENT_SANDBOX = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apivideo_environment apivideo_environment;
#else
typedef int32_t apivideo_environment;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How much of the log a program wants: everything up to and including this level.
 */
enum apivideo_log_level
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Nothing.
   */
  APIVIDEO_LOG_LEVEL_OFF = 0,
  /**
   * What needs somebody's attention: the API key is refused.
   */
  APIVIDEO_LOG_LEVEL_ERROR = 1,
  /**
   * What the library rides out: a failed renewal, a rejected token.
   */
  APIVIDEO_LOG_LEVEL_WARNING = 2,
  /**
   * The ordinary life of a token: one line an exchange.
   */
  APIVIDEO_LOG_LEVEL_INFO = 3,
  /**
   * What helps to understand the library's decisions.
   */
  APIVIDEO_LOG_LEVEL_DEBUG = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apivideo_log_level apivideo_log_level;
#else
typedef int32_t apivideo_log_level;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a client can give, now.
 */
enum apivideo_token_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * There has been no token yet.
   */
  APIVIDEO_TOKEN_STATE_NONE = 0,
  /**
   * A valid token is at hand.
   */
  APIVIDEO_TOKEN_STATE_VALID = 1,
  /**
   * A valid token is at hand, but renewing it fails.
   */
  APIVIDEO_TOKEN_STATE_RENEWAL_FAILING = 2,
  /**
   * The last token has expired; the next call gets another.
   */
  APIVIDEO_TOKEN_STATE_EXPIRED = 3,
  /**
   * The API rejected the token; the next call gets another.
   */
  APIVIDEO_TOKEN_STATE_REJECTED = 4,
  /**
   * No valid token, and getting one fails.
   */
  APIVIDEO_TOKEN_STATE_UNAVAILABLE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apivideo_token_state apivideo_token_state;
#else
typedef int32_t apivideo_token_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Holds one API key and keeps a valid token for it. Any number of threads may use one client at
 * once. It belongs to the caller, who frees it.
 */
typedef struct apivideo_client apivideo_client;

/**
 * Settings for a client. Only one thread at a time may use them. They belong to the caller, who
 * frees them. Each client keeps a copy.
 */
typedef struct apivideo_config apivideo_config;

/**
 * Why a call failed. It belongs to the caller, who frees it. Any thread may read it.
 */
typedef struct apivideo_error apivideo_error;

/**
 * A call under way. Any thread may use it. It belongs to the caller, who frees it.
 */
typedef struct apivideo_operation apivideo_operation;

/**
 * A record that a program's own store loads. It is the library's, and is valid during the call of
 * the callback that it is given to.
 */
typedef struct apivideo_record apivideo_record;

/**
 * The answer to a request that succeeded. It never changes, any thread may read it, and it may
 * outlive its client. Each pointer is one reference, which its owner frees.
 */
typedef struct apivideo_response apivideo_response;

/**
 * A client's counters at one moment. Any thread may read them. The snapshot belongs to the caller,
 * who frees it.
 */
typedef struct apivideo_statistics apivideo_statistics;

/**
 * A place where the processes that use one API key share its token. Any number of settings and
 * clients, with any keys, may use one, and any thread. It belongs to the caller, who frees it.
 *
 * What is kept there is sealed with a key that comes from the API key (ChaCha20-Poly1305, HKDF),
 * under a name that comes from it too. Who can read the store learns neither keys nor tokens. Who
 * can write to it can remove a record, and can put back one that was there before, whose token may
 * have been replaced since: only processes that saw the newer one notice. They cannot make a
 * process use a token that is not this key's.
 */
typedef struct apivideo_store apivideo_store;

/**
 * An immutable snapshot of a token. Any thread may read it. A renewal does not change it, and it
 * may outlive its client. Each pointer is one reference, which its owner frees.
 */
typedef struct apivideo_token apivideo_token;

/**
 * An upload: a video's source on its way to api.video, in chunks. Until it is started, only one
 * thread at a time may use it; from then on any thread may, and any number at once. It belongs to
 * the caller, who frees it, and it may outlive its client.
 */
typedef struct apivideo_upload apivideo_upload;

/**
 * Receives one line of the log: its level, its text, and the program's own pointer. The text is
 * valid during the call. Must not throw or jump out.
 */
typedef void (*apivideo_log_callback)(int32_t level, const char *message, void *user_data);

/**
 * Receives a callback's user data once, when the library will not use it any more. Must not throw
 * or jump out.
 */
typedef void (*apivideo_release_callback)(void *user_data);

/**
 * Receives the token's new state, one of `apivideo_token_state`, and the program's own pointer.
 * Must not throw or jump out.
 */
typedef void (*apivideo_state_callback)(int32_t state, void *user_data);

/**
 * Learns that an operation is complete, and receives the program's own pointer. Called once. Must
 * not throw or jump out.
 */
typedef void (*apivideo_completion_callback)(void *user_data);

/**
 * Loads what is kept under `name`, which is up to 64 characters of a-z, 0-9 and "-", and gives it
 * to apivideo_record_set(); if there is nothing and the store has no clock of its own, that may be
 * left out. Returns one of `apivideo_store_result`.
 *
 * `timeout_ms`: after this time the library goes on without the answer. Must not throw or jump
 * out, and must not call the client whose store this is.
 */
typedef int32_t (*apivideo_store_load_callback)(const char *name,
                                                uint32_t timeout_ms,
                                                apivideo_record *record,
                                                void *user_data);

/**
 * Keeps `data`, of `size` bytes, as `version` under `name`, if what is kept there now has the
 * version `expected`, or if `expected` is 0 and nothing is kept there. Returns one of
 * `apivideo_store_result`.
 *
 * The comparison and the change must be one step for all who use the store: without that a token
 * is shared all the same, but more exchanges are made. Versions are from 1 to 2^63 - 1. What is
 * kept may be removed after `keep_ms`. The pointers are valid during the call. `timeout_ms` and
 * what it must not do: as for apivideo_store_load_callback.
 */
typedef int32_t (*apivideo_store_swap_callback)(const char *name,
                                                uint64_t expected,
                                                uint64_t version,
                                                const void *data,
                                                size_t size,
                                                uint64_t keep_ms,
                                                uint32_t timeout_ms,
                                                void *user_data);

/**
 * Learns how far an upload is, in bytes, as apivideo_upload_progress() gives it, and receives the
 * program's own pointer. Must not throw or jump out.
 */
typedef void (*apivideo_progress_callback)(uint64_t acknowledged,
                                           uint64_t sent,
                                           uint64_t total,
                                           void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a client. Sends no request: the client gets its first token when a caller first asks for
 * one.
 *
 * `api_key`: the key alone, which is copied: 1 to 4,096 bytes, no control characters, no white
 * space at either end. It is refused, with the reason, if something came along with it: quotes, a
 * byte order mark, `Bearer `, `NAME=`, or a variable that nothing replaced. NULL means
 * APIVIDEO_API_KEY of the environment. `config`: the settings, which are copied; NULL means the
 * defaults. `client_out`: receives the client. Free it with apivideo_client_free(). `error_out`:
 * may be NULL. Any thread may call this.
 *
 * The environment is read now and never again: what the first page of this header tells, and the
 * proxy's and the certificates' settings, see apivideo_config_set_proxy() and
 * apivideo_config_set_ca_file(). No other thread may change the environment in the meantime.
 *
 * Errors: NULL_ARGUMENT, also if `api_key` is NULL and the environment has no key; INVALID_UTF8;
 * INVALID_ARGUMENT. The message names the argument or the variable.
 */
apivideo_status apivideo_client_new(const char *api_key,
                                    const apivideo_config *config,
                                    apivideo_client **client_out,
                                    apivideo_error **error_out);

/**
 * Makes a client without an API key, which can upload by upload token, see
 * apivideo_upload_set_token(), and nothing else. It is for programs in the hands of people who
 * must not have the key. APIVIDEO_API_KEY of the environment is not read.
 *
 * `config`, `client_out`, `error_out`, threads and the environment are as for
 * apivideo_client_new(). Calls that need an access token fail with KEY_REJECTED.
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
 */
apivideo_status apivideo_client_new_without_key(const apivideo_config *config,
                                                apivideo_client **client_out,
                                                apivideo_error **error_out);

/**
 * Frees a client. NULL is fine. Returns at once, even while an exchange is under way.
 *
 * No other call may begin with this client from here on. Calls that are waiting end with CLOSED.
 * The client's operations end with CLOSED too, and must still be freed. Its tokens stay as they
 * are. A log or state callback may call this. No log or state callback is called once this has
 * returned, nor one of a program's own store, except one that another thread is just making:
 * `release` says when that is over. The API key is wiped now, or when the exchange under way is
 * over.
 */
void apivideo_client_free(apivideo_client *client);

/**
 * Gives the base URL of the server that the client gets its tokens from, without a slash at its
 * end: `https://ws.api.video`, unless the settings or the environment name another. Requests to
 * the API go there too. Empty for NULL.
 *
 * Never NULL. The text lives as long as the client. Any thread may call this.
 */
const char *apivideo_client_base_url(const apivideo_client *client);

/**
 * Gives a valid token. If the client has one, this returns at once. It then takes no lock and
 * makes no system call, except in the one call that starts a renewal. If the client has none, this
 * waits for the exchange, which all callers share.
 *
 * `token_out`: receives a reference. Free it with apivideo_token_free(). `error_out`: may be NULL.
 * Any thread may call this. It waits no longer than the wait timeout, see
 * apivideo_config_set_wait_timeout_ms().
 *
 * Errors: NULL_ARGUMENT, KEY_REJECTED, RATE_LIMITED, SERVER_ERROR, PROTOCOL_ERROR, NETWORK_ERROR,
 * TLS_ERROR, TIMEOUT, CLOSED, SYSTEM_ERROR. While exchanges fail, a call that needs a new token
 * returns the last error at once; apivideo_error_retry_after_ms() gives the time until the next
 * try. To wait for that try instead, see apivideo_config_set_wait_for_recovery().
 */
apivideo_status apivideo_get_token(const apivideo_client *client,
                                   const apivideo_token **token_out,
                                   apivideo_error **error_out);

/**
 * Gives the apivideo_token_id() of the token that apivideo_get_token() would return at once. Gives
 * 0 if that call would have to wait, and for NULL.
 *
 * This is for programs that keep a copy of a token's text, such as bindings to other languages:
 * the copy may be used as long as this gives its number. Starts a renewal when one is due, as
 * apivideo_get_token() does. Any thread may call this. It never blocks.
 */
uint64_t apivideo_client_token_id(const apivideo_client *client);

/**
 * Gives a token that stays valid for at least `min_validity_ms` from now, for a request that takes
 * that long. Gets a new token if the present one expires sooner.
 *
 * Otherwise this works as apivideo_get_token() does. Further error: INVALID_ARGUMENT if even a new
 * token would expire sooner. Of a token that lives one hour, up to 3,540,000 ms (59 minutes) may
 * be asked.
 */
apivideo_status apivideo_get_token_valid_for(const apivideo_client *client,
                                             uint64_t min_validity_ms,
                                             const apivideo_token **token_out,
                                             apivideo_error **error_out);

/**
 * Starts apivideo_get_token_valid_for() and returns at once. An operation receives the answer. Use
 * this in event loops, to wait in slices, and to be able to cancel.
 *
 * `min_validity_ms`: may be 0. `operation_out`: receives the operation. Free it with
 * apivideo_operation_free(); it may outlive the client. `error_out`: may be NULL. Any thread may
 * call this. It never blocks. If the client has a valid token, the operation is complete when this
 * returns. If not, it is complete after the wait timeout at the latest.
 *
 * Errors: NULL_ARGUMENT. The operation reports all others.
 */
apivideo_status apivideo_get_token_start(const apivideo_client *client,
                                         uint64_t min_validity_ms,
                                         apivideo_operation **operation_out,
                                         apivideo_error **error_out);

/**
 * Sends POST /auth/api-key now. The new token becomes the client's own, and its former refresh
 * token becomes invalid.
 *
 * Programs need not call this: apivideo_get_token() does what is necessary. Calls at the same time
 * share one exchange. `token_out`, `error_out`, threads and errors are as for
 * apivideo_get_token(), except that this sends its request even shortly after a failure.
 */
apivideo_status apivideo_authenticate(const apivideo_client *client,
                                      const apivideo_token **token_out,
                                      apivideo_error **error_out);

/**
 * Starts apivideo_authenticate() and returns at once. An operation receives the answer.
 *
 * `operation_out`: receives the operation. Free it with apivideo_operation_free(); it may outlive
 * the client. `error_out`: may be NULL. Any thread may call this. It never blocks. The operation
 * is complete after the wait timeout at the latest.
 *
 * Errors: NULL_ARGUMENT. The operation reports all others.
 */
apivideo_status apivideo_authenticate_start(const apivideo_client *client,
                                            apivideo_operation **operation_out,
                                            apivideo_error **error_out);

/**
 * Sends POST /auth/refresh with the client's refresh token now. The new token becomes the client's
 * own.
 *
 * Programs need not call this: apivideo_get_token() does what is necessary. Calls at the same time
 * share one exchange. This never uses the API key instead. After a failure the access token stays
 * in use. `token_out`, `error_out` and threads are as for apivideo_get_token().
 *
 * Errors: those of apivideo_get_token() without KEY_REJECTED, and REFRESH_REJECTED,
 * NO_REFRESH_TOKEN.
 */
apivideo_status apivideo_refresh(const apivideo_client *client,
                                 const apivideo_token **token_out,
                                 apivideo_error **error_out);

/**
 * Starts apivideo_refresh() and returns at once. An operation receives the answer, as with
 * apivideo_authenticate_start().
 *
 * Errors: NULL_ARGUMENT. The operation reports all others.
 */
apivideo_status apivideo_refresh_start(const apivideo_client *client,
                                       apivideo_operation **operation_out,
                                       apivideo_error **error_out);

/**
 * Reports a 401: the API rejected a request with this token. The next apivideo_get_token() gets
 * another token, with the API key.
 *
 * Every request that got a 401 may report it: this does nothing if the client already has a newer
 * token. It does not block and sends nothing. Any thread may call it. `rejected`: the request's
 * token, which stays the caller's. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT; TOKEN_REJECTED if this token replaced a rejected one less than 60 seconds
 * ago. The client then keeps the token, because another one would not help. Pass the 401 on to
 * your user.
 */
apivideo_status apivideo_invalidate_token(const apivideo_client *client,
                                          const apivideo_token *rejected,
                                          apivideo_error **error_out);

/**
 * Takes a snapshot of the client's counters.
 *
 * `statistics_out`: receives the snapshot. Free it with apivideo_statistics_free(). `error_out`:
 * may be NULL. Any thread may call this.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_client_get_statistics(const apivideo_client *client,
                                               apivideo_statistics **statistics_out,
                                               apivideo_error **error_out);

/**
 * Makes settings that hold every default.
 *
 * `config_out`: receives the settings. Free them with apivideo_config_free(). `error_out`: may be
 * NULL.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_config_new(apivideo_config **config_out, apivideo_error **error_out);

/**
 * Frees settings. NULL is fine. Clients that were made with them have their own copy.
 */
void apivideo_config_free(apivideo_config *config);

/**
 * Sets which of api.video's environments the key belongs to. Default: the server that the
 * environment's variables name, else production.
 *
 * `environment`: one of `apivideo_environment`. This replaces an earlier
 * apivideo_config_set_base_url(), and the other way round. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT; INVALID_ARGUMENT for a number that is no environment.
 */
apivideo_status apivideo_config_set_environment(apivideo_config *config,
                                                int32_t environment,
                                                apivideo_error **error_out);

/**
 * Sets another server than api.video's.
 *
 * `url`: `https://host[:port][/path]`, at most 2,048 bytes. `http://` is allowed for "localhost"
 * and loopback addresses only. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT; INVALID_UTF8; INVALID_ARGUMENT, with the reason in the message.
 */
apivideo_status apivideo_config_set_base_url(apivideo_config *config,
                                             const char *url,
                                             apivideo_error **error_out);

/**
 * Sets the application's name and version, which are sent as AV-Origin-App. Default: none.
 *
 * `name`: 1 to 50 characters of A-Z, a-z, 0-9, "-" and "_". `version`: 1 to 3 numbers of 1 to 3
 * digits, with dots between them. These are api.video's own rules. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT (name or version), INVALID_UTF8, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_app(apivideo_config *config,
                                        const char *name,
                                        const char *version,
                                        apivideo_error **error_out);

/**
 * Sets the name and version of an SDK that is built on this library, which are sent as
 * AV-Origin-Sdk. Default: none.
 *
 * Rules and errors are as for apivideo_config_set_app().
 */
apivideo_status apivideo_config_set_sdk(apivideo_config *config,
                                        const char *name,
                                        const char *version,
                                        apivideo_error **error_out);

/**
 * Sets the time limit for resolving the server's name, and the same again for connecting and the
 * TLS handshake: 1 to 60,000 ms. Default: 3,000. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_connect_timeout_ms(apivideo_config *config,
                                                       uint32_t timeout_ms,
                                                       apivideo_error **error_out);

/**
 * Sets the time limit for one HTTP exchange as a whole, however slowly its bytes arrive: 1 to
 * 300,000 ms. Default: 10,000. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_attempt_timeout_ms(apivideo_config *config,
                                                       uint32_t timeout_ms,
                                                       apivideo_error **error_out);

/**
 * Sets how long a call waits for its answer, and how long an operation lasts: 0 to 3,600,000 ms.
 * Default: 30,000.
 *
 * The exchange goes on when a caller stops waiting. With 0 a call never waits: it returns a token
 * that is there, or else starts the exchange and fails with TIMEOUT; and a request always fails
 * so. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_wait_timeout_ms(apivideo_config *config,
                                                    uint32_t timeout_ms,
                                                    apivideo_error **error_out);

/**
 * Sets what a call does while no valid token can be obtained. With 0, the default, it returns the
 * last exchange's error at once, with the time until the next try. With another number it waits
 * for the next tries, unless the next one comes after the wait timeout or the key was rejected.
 * `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_config_set_wait_for_recovery(apivideo_config *config,
                                                      int32_t wait,
                                                      apivideo_error **error_out);

/**
 * Sets whether the token is renewed even while nobody reads it. With 0, the default, a token is
 * renewed only when it is read. With another number it is always renewed ahead of its expiry, from
 * the first token on. One timer thread serves all such clients of the process. `error_out`: may be
 * NULL.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_config_set_keep_fresh(apivideo_config *config,
                                               int32_t keep_fresh,
                                               apivideo_error **error_out);

/**
 * Sets how many bytes the body of a reply to apivideo_request() may have: 1 to 1,073,741,824 (1
 * GiB). Default: 16,777,216 (16 MiB). A larger one fails with PROTOCOL_ERROR, and the message says
 * so. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_max_reply_bytes(apivideo_config *config,
                                                    uint64_t bytes,
                                                    apivideo_error **error_out);

/**
 * Sets the proxy, and NO_PROXY of the environment does not count any more. Default: the
 * environment's.
 *
 * `url`: `scheme://[user:password@]host[:port]`, user and password percent-encoded; "" means no
 * proxy. The scheme is `http`, `https` (the proxy itself speaks TLS), `socks4`, `socks4a`,
 * `socks5` or `socks5h`; with `socks4a` and `socks5h` the proxy resolves the server's name. The
 * port is 1080 by default, or 443 with `https`. SOCKS4 has a user but no password. Loopback
 * addresses never go through a proxy.
 *
 * The environment is read once, by apivideo_client_new(), and as curl reads it: the first of
 * `https_proxy`, `HTTPS_PROXY`, `all_proxy` and `ALL_PROXY` that is not empty, unless `no_proxy`
 * or `NO_PROXY` names the server. If that one is not such a URL, each exchange fails with
 * NETWORK_ERROR and says so.
 *
 * `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_proxy(apivideo_config *config,
                                          const char *url,
                                          apivideo_error **error_out);

/**
 * Sets a file of certificates that are trusted in addition to the system's: those of CAs, or a
 * server's own. Empty: none. Default: the one that APIVIDEO_CA_FILE names when a client for an
 * `https` server is made, else none. TLS verification cannot be turned off.
 *
 * The file is PEM and at most 4 MiB. It is read now, and again when it has changed, which is
 * looked for at an exchange, once an hour at most. Broken certificates in it are left out. A
 * relative `path` is relative to the folder that is the current one now.
 *
 * The system's certificates are those of its usual files. If SSL_CERT_FILE or SSL_CERT_DIR
 * (folders with `:` between) is in the environment when apivideo_client_new() is called, they are
 * the ones there instead.
 *
 * `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT; INVALID_UTF8; INVALID_ARGUMENT if the file cannot be read or contains no
 * certificate that can be used.
 */
apivideo_status apivideo_config_set_ca_file(apivideo_config *config,
                                            const char *path,
                                            apivideo_error **error_out);

/**
 * Sets where the processes that use this API key share its token, so that all of them together
 * make one exchange for each token. NULL means nowhere.
 *
 * A client with a store uses the API key alone, and its tokens have no refresh token. Whatever
 * happens to the store, the client goes on as if it had none: no call fails for it, and one that
 * hangs costs a call that needs a new token the store's time limit, once.
 *
 * The default is what APIVIDEO_STORE of the environment says when apivideo_client_new() is called:
 * "file", "file:" and a directory, or a URL as for apivideo_store_new_redis(), whose server may
 * also show a certificate of APIVIDEO_CA_FILE; nowhere if it is not there or empty. With another
 * value apivideo_client_new() fails with INVALID_ARGUMENT. A place that cannot be used is no
 * error: the log says so, and the client goes on.
 *
 * `store`: it is used on, so it may be freed at once. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT (config).
 */
apivideo_status apivideo_config_set_store(apivideo_config *config,
                                          const apivideo_store *store,
                                          apivideo_error **error_out);

/**
 * Sets the time limit for an operation of the store: 1 to 10,000 ms. Default: 1,000. `error_out`:
 * may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_store_timeout_ms(apivideo_config *config,
                                                     uint32_t timeout_ms,
                                                     apivideo_error **error_out);

/**
 * Calls `callback` with each line of the log up to `level`, one of `apivideo_log_level`. NULL
 * turns the log off, which is the default.
 *
 * The calls for one client come one at a time, in the order in which things happened, and while no
 * lock is held. They come on a thread of the library at the end of an exchange, or on a thread
 * that is in a call of the client. The callback may call any function of the client, and may free
 * it. It should not block for long. No line contains a key or a token.
 *
 * `user_data`: passed to each call. It must stay usable, from any thread, until `release` is
 * called with it. `release`: called once, when these settings and all clients made with them are
 * freed or have another callback, and no call is running any more. If this function fails, it is
 * called before this returns. It must not use the settings that are being changed. It may be NULL.
 * `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT; INVALID_ARGUMENT for a number that is no level.
 */
apivideo_status apivideo_config_set_log(apivideo_config *config,
                                        int32_t level,
                                        apivideo_log_callback callback,
                                        void *user_data,
                                        apivideo_release_callback release,
                                        apivideo_error **error_out);

/**
 * Calls `callback` when the token's state has changed. NULL means no calls, which is the default.
 *
 * Threads, `user_data` and `release` are as for apivideo_config_set_log(). A state that comes with
 * time alone, such as EXPIRED, is reported when a caller next asks for a token. `error_out`: may
 * be NULL.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_config_set_on_state(apivideo_config *config,
                                             apivideo_state_callback callback,
                                             void *user_data,
                                             apivideo_release_callback release,
                                             apivideo_error **error_out);

/**
 * Gives a short English name of a status, such as "timeout", or "unknown status" for a number that
 * is none.
 *
 * Never NULL. The text is static. Any thread may call this.
 */
const char *apivideo_status_string(int32_t status);

/**
 * Gives the error's status, or `APIVIDEO_STATUS_OK` for NULL.
 */
apivideo_status apivideo_error_status(const apivideo_error *error);

/**
 * Gives one line in English: what happened, why, and what to do. It contains no key and no token.
 * Empty for NULL.
 *
 * Never NULL. The text lives as long as the error.
 */
const char *apivideo_error_message(const apivideo_error *error);

/**
 * Gives the status of the HTTP reply that led to the error. 0 if there was no reply, and for NULL.
 */
int32_t apivideo_error_http_status(const apivideo_error *error);

/**
 * Gives `type` of api.video's problem object, a URL. Empty if there is none, and for NULL.
 *
 * Never NULL. The text lives as long as the error. It comes from the server.
 */
const char *apivideo_error_problem_type(const apivideo_error *error);

/**
 * Gives `title` of api.video's problem object, one sentence. Empty if there is none, and for NULL.
 *
 * Never NULL. The text lives as long as the error. It comes from the server.
 */
const char *apivideo_error_title(const apivideo_error *error);

/**
 * Gives `name` of api.video's problem object: the field or thing at fault. Empty if there is none,
 * and for NULL.
 *
 * Never NULL. The text lives as long as the error. It comes from the server.
 */
const char *apivideo_error_name(const apivideo_error *error);

/**
 * Gives `detail` of api.video's problem object: more about this very case. Empty if there is none,
 * and for NULL.
 *
 * Never NULL. The text lives as long as the error. It comes from the server.
 */
const char *apivideo_error_detail(const apivideo_error *error);

/**
 * Gives how many faults api.video's problem object lists (`problems`), such as each attribute of a
 * request that is wrong. 100 at most. 0 if it lists none, and for NULL.
 */
size_t apivideo_error_problem_count(const apivideo_error *error);

/**
 * Gives `type` of the fault at `index`, from 0 to apivideo_error_problem_count() - 1. Empty if
 * there is none, and for NULL.
 *
 * Never NULL. The text lives as long as the error. It comes from the server.
 */
const char *apivideo_error_problem_type_at(const apivideo_error *error, size_t index);

/**
 * Gives `title` of the fault at `index`, as apivideo_error_problem_type_at() gives its `type`.
 */
const char *apivideo_error_title_at(const apivideo_error *error, size_t index);

/**
 * Gives `name` of the fault at `index`, mostly an attribute's, as apivideo_error_problem_type_at()
 * gives its `type`.
 */
const char *apivideo_error_name_at(const apivideo_error *error, size_t index);

/**
 * Gives `detail` of the fault at `index`, as apivideo_error_problem_type_at() gives its `type`.
 */
const char *apivideo_error_detail_at(const apivideo_error *error, size_t index);

/**
 * Tells whether the same call may succeed later although the caller changes nothing. False for
 * NULL.
 *
 * False also for a request that was, or may have been, carried out and must not be carried out
 * twice, such as a POST whose reply was lost or is a 5xx: look first what became of it. The
 * message says so.
 */
bool apivideo_error_is_retryable(const apivideo_error *error);

/**
 * Gives the time after which it makes sense to try again, in milliseconds from the moment of the
 * error. -1 where that is not known, and for NULL.
 *
 * Until then an apivideo_get_token() that needs a new token fails at once with the same error,
 * unless the client waits: see apivideo_config_set_wait_for_recovery().
 */
int64_t apivideo_error_retry_after_ms(const apivideo_error *error);

/**
 * Frees an error. NULL is fine.
 */
void apivideo_error_free(apivideo_error *error);

/**
 * Waits for the operation to complete, but no longer than `timeout_ms`. With 0 it does not wait,
 * and with `UINT32_MAX` it waits to the end.
 *
 * Any number of threads may wait at once. They may wait again after PENDING, and also after the
 * end. `token_out`: receives a reference. Free it with apivideo_token_free(). `error_out`: may be
 * NULL. Any thread may call this.
 *
 * Errors: PENDING if the time is over before the operation is complete; CANCELLED; NULL_ARGUMENT;
 * INVALID_ARGUMENT if the operation is a request's; all errors of apivideo_get_token_valid_for(),
 * where TIMEOUT means that the client's wait timeout is over.
 */
apivideo_status apivideo_operation_wait(const apivideo_operation *operation,
                                        uint32_t timeout_ms,
                                        const apivideo_token **token_out,
                                        apivideo_error **error_out);

/**
 * Waits for a request's operation to complete, as apivideo_operation_wait() does for a token's.
 *
 * `response_out`: receives a reference. Free it with apivideo_response_free(). `error_out`: may be
 * NULL. Any thread may call this.
 *
 * Errors: PENDING if the time is over before the operation is complete; CANCELLED; NULL_ARGUMENT;
 * INVALID_ARGUMENT if the operation is a token's; all errors of apivideo_request().
 */
apivideo_status apivideo_operation_wait_response(const apivideo_operation *operation,
                                                 uint32_t timeout_ms,
                                                 const apivideo_response **response_out,
                                                 apivideo_error **error_out);

/**
 * Calls `callback` with `user_data` exactly once, when the operation is complete, however it ends.
 * If this function fails, it never calls `callback`.
 *
 * The call comes on a thread of the library, or on a thread that is in a call of this client or of
 * one of its operations. If the operation is complete already, the call comes on this thread
 * before this function returns. The callback may call any function of this library. It may free
 * its own operation, unless that very freeing has led to the call. It must not block for long.
 * Another thread may free the operation meanwhile. `user_data` must stay usable from any thread
 * until the callback was called. In a forked child, callbacks of the parent's operations are not
 * called. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT; INVALID_ARGUMENT if the operation already has a callback; CANCELLED in a
 * forked child.
 */
apivideo_status apivideo_operation_on_complete(const apivideo_operation *operation,
                                               apivideo_completion_callback callback,
                                               void *user_data,
                                               apivideo_error **error_out);

/**
 * Ends the operation with CANCELLED, unless it is complete. The exchange for a token goes on for
 * other callers; a request's connection is closed, so that nothing more of it is sent, but what
 * the server has of it may still be carried out. NULL is fine. Any thread may call this.
 */
void apivideo_operation_cancel(const apivideo_operation *operation);

/**
 * Frees an operation, and cancels it if it is not complete. NULL is fine. No other call may use it
 * from here on.
 */
void apivideo_operation_free(apivideo_operation *operation);

/**
 * Makes a request to the API with a valid token, and waits for its end.
 *
 * `method`: such as "GET", in any case. `path`: what follows the base URL, query and all, such as
 * "/videos?pageSize=100"; percent-encoded, and without `..`. `json`: the body, or NULL for none.
 * `response_out`: receives a reference. Free it with apivideo_response_free(). `error_out`: may be
 * NULL. Any thread may call this. It waits no longer than the wait timeout, see
 * apivideo_config_set_wait_timeout_ms(); each attempt ends after the attempt timeout. With a wait
 * timeout of 0 nothing is sent, and it fails with TIMEOUT.
 *
 * Each request takes a thread of the library's while it is made, 64 of a client's at most. The
 * others wait in order for their turn, within their wait timeout.
 *
 * A 401 of api.video's renews the token and sends once more, unless it is about another
 * credential, such as an upload token. A 429 waits as it is told, if that is within the wait
 * timeout. A connection that was refused, or lost before anything was sent, is tried again, and
 * GET, PUT, DELETE and HEAD also after a 502, 503 or 504 or a lost reply: with growing delays,
 * four times in all, or as often as the wait timeout allows with
 * apivideo_config_set_wait_for_recovery(). Other methods are not sent again once they may have
 * been carried out: the message then says so, and apivideo_error_is_retryable() is false. After a
 * status of success whose body broke off only GET and HEAD are sent again. A DELETE that is sent
 * again may find nothing left to delete. Redirects are not followed.
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT (the message names the argument); those of
 * apivideo_get_token(); REQUEST_REJECTED for a 4xx, with the problem; RATE_LIMITED; SERVER_ERROR;
 * PROTOCOL_ERROR, also for a reply that is larger than apivideo_config_set_max_reply_bytes()
 * allows and for a 401 that is not api.video's; NETWORK_ERROR; TLS_ERROR; TIMEOUT; CLOSED;
 * SYSTEM_ERROR.
 */
apivideo_status apivideo_request(const apivideo_client *client,
                                 const char *method,
                                 const char *path,
                                 const char *json,
                                 const apivideo_response **response_out,
                                 apivideo_error **error_out);

/**
 * Starts apivideo_request() and returns at once. An operation receives the answer: see
 * apivideo_operation_wait_response() and apivideo_operation_on_complete().
 *
 * `operation_out`: receives the operation. Free it with apivideo_operation_free(); it may outlive
 * the client. `error_out`: may be NULL. Any thread may call this. It never blocks. The operation
 * is complete after the wait timeout at the latest, during which it may have to wait for its turn.
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT. The operation reports all others.
 */
apivideo_status apivideo_request_start(const apivideo_client *client,
                                       const char *method,
                                       const char *path,
                                       const char *json,
                                       apivideo_operation **operation_out,
                                       apivideo_error **error_out);

/**
 * Tells whether a webhook call comes from api.video: whether `signature` is that of these bytes.
 *
 * `secret`: the webhook's `signatureSecret`, as the API gave it. `body`: the call's body as it
 * came, not parsed and written anew; it may be NULL if `length` is 0. `length`: its length in
 * bytes. `signature`: the value of the call's header `X-Api-Video-Signature`. Any thread may call
 * this. It takes the same time wherever the first difference is.
 *
 * False if it is not, if an argument is NULL, if the secret is empty, and if `length` is more than
 * any object has. A signature says nothing about when a call was made: one that was recorded is
 * good for ever.
 */
bool apivideo_webhook_verify(const char *secret,
                             const void *body,
                             size_t length,
                             const char *signature);

/**
 * Gives the status of the HTTP reply, from 200 to 299. 0 for NULL.
 */
int32_t apivideo_response_http_status(const apivideo_response *response);

/**
 * Gives the body as it came, mostly JSON: apivideo_response_body_length() bytes. Behind them is a
 * NUL, so that a text can be used as a string. Empty if there is none, and for NULL.
 *
 * Never NULL. The bytes live as long as the reference.
 */
const char *apivideo_response_body(const apivideo_response *response);

/**
 * Gives the length of the body in bytes, without the NUL behind it. 0 for NULL.
 */
size_t apivideo_response_body_length(const apivideo_response *response);

/**
 * Gives the value of a header of the reply, such as "X-RateLimit-Remaining". Upper and lower case
 * are the same. What came several times is joined with ", ". Empty if there is no such header, and
 * for NULL.
 *
 * Never NULL. The text lives as long as the reference. It comes from the server.
 */
const char *apivideo_response_header(const apivideo_response *response, const char *name);

/**
 * Gives the path of the next page, to be asked for with apivideo_request(). Empty on the last
 * page, where there are no pages, and for NULL.
 *
 * Never NULL. The text lives as long as the reference. It comes from the server.
 */
const char *apivideo_response_next_page(const apivideo_response *response);

/**
 * Frees one reference to a response. NULL is fine. Any thread may call this.
 */
void apivideo_response_free(const apivideo_response *response);

/**
 * Gives one value of a snapshot.
 *
 * `statistic`: one of `apivideo_statistic`. `value_out`: receives the value; 0 after a failure.
 * `error_out`: may be NULL. Any thread may call this.
 *
 * Errors: NULL_ARGUMENT; INVALID_ARGUMENT for a number that is no statistic.
 */
apivideo_status apivideo_statistics_get(const apivideo_statistics *statistics,
                                        int32_t statistic,
                                        uint64_t *value_out,
                                        apivideo_error **error_out);

/**
 * Frees a snapshot. NULL is fine.
 */
void apivideo_statistics_free(apivideo_statistics *statistics);

/**
 * Makes a store of files, for the processes that one user has on one machine.
 *
 * `directory`: an existing one of this user's own that others cannot use (mode 0700), or one that
 * is made so. NULL means the usual one: .cache/libapivideo in the home directory that the system
 * has for the user, whatever HOME says, or /tmp/libapivideo-UID for who has none; on Windows
 * libapivideo in %LOCALAPPDATA%. A relative path is relative to the folder that is the current one
 * now. The directory is looked at, which takes as long as its file system takes. `store_out`:
 * receives the store. Free it with apivideo_store_free(). `error_out`: may be NULL. Any thread may
 * call this.
 *
 * Errors: NULL_ARGUMENT (store_out), INVALID_UTF8; INVALID_ARGUMENT if the directory cannot be
 * used, is another user's, can be used by others, is a symbolic link, or is on a network, or if it
 * cannot be told which is the usual one.
 */
apivideo_status apivideo_store_new_file(const char *directory,
                                        apivideo_store **store_out,
                                        apivideo_error **error_out);

/**
 * Makes a store in Redis or Valkey, for the processes of many machines. Sends nothing yet.
 *
 * `url`: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS, user and
 * password percent-encoded. A cluster is named by any of its nodes, or by several with commas
 * between them. Behind Sentinel: `redis+sentinel://[user:password@]host[:port],…/name[/database]`,
 * with the server's user and password, and the name that Sentinel has for it; Sentinels themselves
 * are asked without a password. `redis://` sends the password in clear: outside this machine use
 * `rediss://`. No proxy is used. `ca_file`: a PEM file of certificates that are
 * trusted besides the system's, as for apivideo_config_set_ca_file(), or NULL. `store_out`:
 * receives the store. Free it with apivideo_store_free(). `error_out`: may be NULL. Any thread may
 * call this.
 *
 * The server's user must be allowed TIME, GET, SET and EVAL on the keys `apivideo-*`, which expire
 * by themselves; in a cluster ASKING, with a database SELECT, and behind Sentinel best ROLE too.
 * With TLS, the certificates are read within the time of the first operation.
 *
 * Errors: NULL_ARGUMENT (url, store_out), INVALID_UTF8, INVALID_ARGUMENT.
 */
apivideo_status apivideo_store_new_redis(const char *url,
                                         const char *ca_file,
                                         apivideo_store **store_out,
                                         apivideo_error **error_out);

/**
 * Makes the store that a text names, as APIVIDEO_STORE of the environment does: for programs that
 * have it from a file of settings. Sends nothing yet.
 *
 * `name`: "file", "file:" and a directory, or a URL as for apivideo_store_new_redis(). `ca_file`:
 * as there. `store_out`: receives the store. Free it with apivideo_store_free(). `error_out`: may
 * be NULL. Any thread may call this.
 *
 * Errors: NULL_ARGUMENT (name, store_out), INVALID_UTF8, INVALID_ARGUMENT. Unlike with
 * apivideo_store_new_file(), a directory that cannot be used is no error: clients go on as without
 * a store, and their log says so.
 */
apivideo_status apivideo_store_new_named(const char *name,
                                         const char *ca_file,
                                         apivideo_store **store_out,
                                         apivideo_error **error_out);

/**
 * Makes a store of a program's own: a database table, or anything else that can compare and swap.
 *
 * `load`, `swap`: called on threads of the library, one call at a time for each process: others
 * wait for their turn, within the time limit of the store. A call that lasts longer than that is
 * given up, and no other is made until it returns. `user_data`: passed to each call. It must stay
 * usable, from any thread, until `release` is called with it. `release`: called once, when the
 * store and all that use it are freed and no call is running any more. If this function fails, it
 * is called before this returns. It may be NULL. `store_out`: receives the store. Free it with
 * apivideo_store_free(). `error_out`: may be NULL. Any thread may call this.
 *
 * Errors: NULL_ARGUMENT (load, swap, store_out).
 */
apivideo_status apivideo_store_new(apivideo_store_load_callback load,
                                   apivideo_store_swap_callback swap,
                                   void *user_data,
                                   apivideo_release_callback release,
                                   apivideo_store **store_out,
                                   apivideo_error **error_out);

/**
 * Frees a store. NULL is fine. Settings and clients that use it go on.
 */
void apivideo_store_free(apivideo_store *store);

/**
 * Says what a program's own store has loaded.
 *
 * `record`: what apivideo_store_load_callback was given. `version`: what was given to
 * apivideo_store_swap_callback with the data; 0, with NULL and 0 for the data, says that nothing
 * is kept. `data`: copied; `size` bytes, up to 65,536. `now_ms`: the time by the store's own
 * clock, in milliseconds since 1970, or 0 for this machine's. Where machines share a store that
 * has a clock, give it with each record, and when nothing is kept too: a lease and a token are
 * timed by it. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT (record; data with a version); INVALID_ARGUMENT for a version or a size
 * out of range, or for a time before 2000 or after 2200, as one in other units is.
 */
apivideo_status apivideo_record_set(apivideo_record *record,
                                    uint64_t version,
                                    const void *data,
                                    size_t size,
                                    int64_t now_ms,
                                    apivideo_error **error_out);

/**
 * Gives the value of an `Authorization` header: "Bearer", a space and the access token. Empty for
 * NULL.
 *
 * Never NULL. The text lives as long as the reference. It consists of visible ASCII and one space,
 * so it is safe in a header.
 */
const char *apivideo_token_authorization(const apivideo_token *token);

/**
 * Gives the access token alone (`access_token`). Empty for NULL.
 *
 * Never NULL. The text lives as long as the reference.
 */
const char *apivideo_token_access_token(const apivideo_token *token);

/**
 * Gives the token's type (`token_type`): "Bearer". Empty for NULL.
 *
 * Never NULL. The text is static.
 */
const char *apivideo_token_token_type(const apivideo_token *token);

/**
 * Gives the refresh token (`refresh_token`). Empty if api.video sent none, and for NULL.
 *
 * A refresh token works only once, and the library uses it by itself. If the program sends it, the
 * client's own refresh is rejected.
 *
 * Never NULL. The text lives as long as the reference.
 */
const char *apivideo_token_refresh_token(const apivideo_token *token);

/**
 * Gives a number that no other token of this process has. 0 for NULL. See
 * apivideo_client_token_id().
 */
uint64_t apivideo_token_id(const apivideo_token *token);

/**
 * Gives the time until the token expires, in milliseconds. 0 once it has expired, and for NULL.
 *
 * Its life began when its request was sent. Both the wall clock and a clock that also runs while
 * the machine is suspended are read; the shorter time counts.
 */
int64_t apivideo_token_expires_in_ms(const apivideo_token *token);

/**
 * Gives the time at which the token expires, in milliseconds since the Unix epoch. 0 for NULL.
 */
int64_t apivideo_token_expires_at_ms(const apivideo_token *token);

/**
 * Gives the whole life that api.video gave the token (`expires_in`), in milliseconds. 0 for NULL.
 */
int64_t apivideo_token_lifetime_ms(const apivideo_token *token);

/**
 * Gives another reference to the same token, which must be freed separately. NULL for NULL. Any
 * thread may call this.
 */
const apivideo_token *apivideo_token_clone(const apivideo_token *token);

/**
 * Frees one reference to a token. NULL is fine. Any thread may call this.
 */
void apivideo_token_free(const apivideo_token *token);

/**
 * Sends a file as the source of a video, and waits for the end, however long it takes.
 *
 * `video_id`: of a video that was made with `POST /videos`. `path`: of a regular file, in UTF-8.
 * `response_out`: receives a reference to api.video's reply with the video, in JSON. Free it with
 * apivideo_response_free(). `error_out`: may be NULL. Any thread may call this. It needs one
 * buffer of 384 KiB, whatever the size of the file. apivideo_upload_new() does the same with
 * progress, with a way to cancel, and can go on where an earlier upload ended.
 *
 * Whatever may pass is ridden out: an outage of some minutes, errors of the server, rate limits,
 * replies that are lost, access tokens that expire. Then only the chunk that it happened to is
 * sent again, and none that is known to have arrived. A connection ends after 60 seconds in
 * which no byte has moved, however long a chunk takes; the attempt timeout is not for chunks.
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT; FILE_ERROR if the file cannot be read, is
 * empty, or changes meanwhile; REQUEST_REJECTED, with the problem; those of apivideo_get_token();
 * RATE_LIMITED, SERVER_ERROR, PROTOCOL_ERROR, NETWORK_ERROR, TLS_ERROR, TIMEOUT when a chunk has
 * failed time after time; CLOSED; SYSTEM_ERROR.
 */
apivideo_status apivideo_upload_file(const apivideo_client *client,
                                     const char *video_id,
                                     const char *path,
                                     const apivideo_response **response_out,
                                     apivideo_error **error_out);

/**
 * Makes an upload, to be given its settings and started.
 *
 * `upload_out`: receives the upload. Free it with apivideo_upload_free(). `error_out`: may be
 * NULL. Any thread may call this.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_upload_new(const apivideo_client *client,
                                    apivideo_upload **upload_out,
                                    apivideo_error **error_out);

/**
 * Sets the video that the source is for: it was made with `POST /videos`, and has no source yet.
 *
 * `video_id`: its id, which is copied. `error_out`: may be NULL. As for all settings of an upload,
 * only one thread at a time may call this, before apivideo_upload_start().
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
 */
apivideo_status apivideo_upload_set_video_id(apivideo_upload *upload,
                                             const char *video_id,
                                             apivideo_error **error_out);

/**
 * Sets an upload token to send with, in place of the client's API key. The token makes the video,
 * unless apivideo_upload_set_video_id() names one.
 *
 * The first chunk goes alone, since its reply names the video that the others must go to. If that
 * reply is lost, another video is made, and what api.video has of the first one stays incomplete.
 * A token that was rejected is not tried again. `token`: is copied. It is a secret: it is in no
 * message and in no line of the log. `error_out` and threads are as for
 * apivideo_upload_set_video_id().
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
 */
apivideo_status apivideo_upload_set_token(apivideo_upload *upload,
                                          const char *token,
                                          apivideo_error **error_out);

/**
 * Sets the file to send. Without one, the program writes the bytes with apivideo_upload_write().
 *
 * `path`: of a regular file, in UTF-8, which is copied. It is opened when the upload starts. A
 * file whose size or time changes while it is sent ends the upload with FILE_ERROR, and does not
 * become a video. `error_out` and threads are as for apivideo_upload_set_video_id().
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
 */
apivideo_status apivideo_upload_set_file(apivideo_upload *upload,
                                         const char *path,
                                         apivideo_error **error_out);

/**
 * Sets the name of the file that api.video is told. Default: the name of the file that is sent, or
 * "video". It is the title of a video that an upload token makes.
 *
 * `name`: 1 to 255 bytes without control characters, which are copied. `error_out` and threads are
 * as for apivideo_upload_set_video_id().
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
 */
apivideo_status apivideo_upload_set_file_name(apivideo_upload *upload,
                                              const char *name,
                                              apivideo_error **error_out);

/**
 * Sets how many bytes the program will write. Default: that is not known before
 * apivideo_upload_finish(). Not for an upload of a file, which has a size.
 *
 * `bytes`: 1 to 52,428,800,000. With it, api.video is told of each chunk which bytes it has, and
 * the upload can be resumed with chunks of another size. The last chunk is sent once
 * apivideo_upload_finish() is called: who writes more than was announced gets an error, and no
 * video that lacks its end. `error_out` and threads are as for apivideo_upload_set_video_id().
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_upload_set_size(apivideo_upload *upload,
                                         uint64_t bytes,
                                         apivideo_error **error_out);

/**
 * Sets the size of a chunk, which is what is sent again after a fault.
 *
 * `bytes`: 5,242,880 to 209,715,200 (5 to 200 MiB). Default for a file: a twentieth of it in whole
 * MiB, but 5 MiB at least and 50 MiB at most. That is few enough chunks for api.video's limit of
 * 40 in a minute. Default for what a program writes: 16 MiB, which are held in memory, for each of
 * the chunks that are sent side by side. `error_out` and threads are as for
 * apivideo_upload_set_video_id().
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_upload_set_chunk_size(apivideo_upload *upload,
                                               uint64_t bytes,
                                               apivideo_error **error_out);

/**
 * Sets how many chunks are sent side by side, each on a connection and a thread of its own.
 *
 * `count`: 1 to 8. Default: 1 for a file; 2 for what a program writes, so that it can write one
 * chunk while another is sent. `error_out` and threads are as for apivideo_upload_set_video_id().
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_upload_set_parallel(apivideo_upload *upload,
                                             uint32_t count,
                                             apivideo_error **error_out);

/**
 * Sets whether the upload goes on where an earlier one ended, in this process or in another,
 * within 7 days. Default: 0.
 *
 * With 1 it asks api.video first what has arrived, and sends the rest. It takes the video's id,
 * and the same bytes again: the unchanged file, or all that was written, from the beginning. Of a
 * video that is complete nothing is sent. A file of another size is an error. If the size was not
 * known to the earlier upload, its chunks must have been of the same size. An upload that was
 * begun by token is resumed with the API key.
 *
 * `resume`: 0 or 1. `error_out` and threads are as for apivideo_upload_set_video_id().
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_upload_set_resume(apivideo_upload *upload,
                                           int32_t resume,
                                           apivideo_error **error_out);

/**
 * Sets a callback that is told how far the upload is: when a chunk has arrived, and while bytes
 * are sent up to ten times a second.
 *
 * It is called on the library's threads, outside every lock, one call at a time. It may call any
 * function of this library, also apivideo_upload_cancel() and apivideo_upload_free(), the latter
 * even before apivideo_upload_start() has returned. It must not block for long: meanwhile a thread
 * of the upload sends nothing. Once apivideo_upload_free() has returned, no call begins but one
 * that another thread was just about to make; and none in a forked child. `callback`: NULL for
 * none. `user_data`: passed to each call; must stay usable from any thread until `release` was
 * called, or for ever. `release`: may be NULL; is called once when the callback will not be called
 * any more, or at once if this function fails. `error_out` and threads are as for
 * apivideo_upload_set_video_id().
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_upload_set_on_progress(apivideo_upload *upload,
                                                apivideo_progress_callback callback,
                                                void *user_data,
                                                apivideo_release_callback release,
                                                apivideo_error **error_out);

/**
 * Starts the upload, on threads of its own, and returns at once.
 *
 * `error_out`: may be NULL. Afterwards the settings cannot be changed, and any thread may use the
 * upload. After a failure it is of no use any more.
 *
 * Errors: NULL_ARGUMENT; INVALID_ARGUMENT if it was started before, or if the settings do not go
 * together; FILE_ERROR if the file cannot be opened or is empty; SYSTEM_ERROR if there is no
 * thread; CLOSED. apivideo_upload_wait() reports all others.
 */
apivideo_status apivideo_upload_start(apivideo_upload *upload, apivideo_error **error_out);

/**
 * Hands bytes of the video over, of an upload without a file: recorded, say, while it goes on.
 *
 * Waits until there is room for them: of each chunk that is sent, the bytes are held until it has
 * arrived. `data`: `length` bytes, which are copied; may be NULL if `length` is 0. `error_out`:
 * may be NULL. Any thread may call this, but one at a time: the order of the calls is that of the
 * bytes.
 *
 * Errors: NULL_ARGUMENT; INVALID_ARGUMENT for an upload of a file, for more bytes than were
 * announced, and after apivideo_upload_finish(); the error of the upload, once it has failed;
 * CANCELLED.
 */
apivideo_status apivideo_upload_write(const apivideo_upload *upload,
                                      const void *data,
                                      size_t length,
                                      apivideo_error **error_out);

/**
 * Says that all bytes were handed over. Does not wait for them to be sent: apivideo_upload_wait()
 * does.
 *
 * `error_out`: may be NULL. Any thread may call this. A second call does nothing.
 *
 * Errors: NULL_ARGUMENT; INVALID_ARGUMENT for an upload of a file, and if nothing or less was
 * written than was announced, with which the upload ends; FILE_ERROR if less was written than an
 * earlier upload sent, which this one resumes; CANCELLED.
 */
apivideo_status apivideo_upload_finish(const apivideo_upload *upload, apivideo_error **error_out);

/**
 * Waits for the end of the upload, but no longer than `timeout_ms`. With 0 it does not wait, and
 * with `UINT32_MAX` it waits to the end.
 *
 * Any number of threads may wait at once, and again after PENDING, and after the end.
 * `response_out`: receives a reference to api.video's reply with the video, in JSON. Free it with
 * apivideo_response_free(). In the rare case that all has arrived and the video could not be
 * asked for, it has the member `videoId` and no other. `error_out`: may be NULL. Any thread may
 * call this.
 *
 * Errors: PENDING if the time is over before the upload is; CANCELLED; NULL_ARGUMENT;
 * INVALID_ARGUMENT if it was not started; all errors of apivideo_upload_file(). After any of them,
 * but REQUEST_REJECTED and FILE_ERROR, the upload can be resumed: see
 * apivideo_upload_set_resume().
 */
apivideo_status apivideo_upload_wait(const apivideo_upload *upload,
                                     uint32_t timeout_ms,
                                     const apivideo_response **response_out,
                                     apivideo_error **error_out);

/**
 * Calls `callback` with `user_data` exactly once, when the upload is over, however it ends. If
 * this function fails, it never calls `callback`.
 *
 * As with apivideo_operation_on_complete(): the call comes on a thread of the library, or on one
 * that is in a call of this upload or frees its client, and on this thread, before this function
 * returns, if the upload is over already. The callback may call any function of this library. It
 * may free the upload, unless that very freeing has led to the call. `user_data` must stay usable
 * from any thread until the callback was called. In a forked child, callbacks of the parent's
 * uploads are not called. `error_out`: may be NULL. Any thread may call this.
 *
 * Errors: NULL_ARGUMENT; INVALID_ARGUMENT if the upload was not started, or already has a
 * callback; CANCELLED in a forked child.
 */
apivideo_status apivideo_upload_on_complete(const apivideo_upload *upload,
                                            apivideo_completion_callback callback,
                                            void *user_data,
                                            apivideo_error **error_out);

/**
 * Gives how far the upload is, in bytes. No number ever goes back.
 *
 * `acknowledged_out`: receives what api.video has said it has. `sent_out`: receives that and what
 * was sent since; what is sent again does not count twice. `total_out`: receives how many there
 * are in all; 0 while that is not known. Each may be NULL. All are 0 before the upload is started,
 * and for NULL. Any thread may call this. It never blocks.
 */
void apivideo_upload_progress(const apivideo_upload *upload,
                              uint64_t *acknowledged_out,
                              uint64_t *sent_out,
                              uint64_t *total_out);

/**
 * Gives the id of the video. Empty while it has none: before the upload is started, by an upload
 * token until the first chunk has arrived, and for NULL.
 *
 * Never NULL. A text that is not empty lives as long as the upload. Any thread may call this. It
 * never blocks.
 */
const char *apivideo_upload_video_id(const apivideo_upload *upload);

/**
 * Ends the upload with CANCELLED, unless it is over, and at once: connections are cut. The video
 * stays as it is, and the upload can be resumed. NULL is fine. Any thread may call this.
 */
void apivideo_upload_cancel(const apivideo_upload *upload);

/**
 * Frees an upload, and cancels it if it is not over. NULL is fine. Returns at once. No other call
 * may use it from here on.
 */
void apivideo_upload_free(apivideo_upload *upload);

/**
 * Gives the version of the loaded library, such as "0.1.0".
 *
 * Never NULL. The text is static. Any thread may call this.
 */
const char *apivideo_version(void);

/**
 * Gives the version of the loaded library as one number, which grows with each release: major ×
 * 1,000,000 + minor × 1,000 + patch.
 */
uint32_t apivideo_version_number(void);

/**
 * Gives the ABI of the loaded library. A program that loads it at run time should compare this
 * with `APIVIDEO_ABI_VERSION`.
 */
uint32_t apivideo_abi_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* APIVIDEO_H */
