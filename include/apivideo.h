/*
 * libapivideo: valid api.video bearer tokens for any thread of any program.
 *
 * SPDX-License-Identifier: MIT
 * Generated from src/capi by `make header`; do not edit.
 *
 * What holds for every function
 * -----------------------------
 *
 * Results. A function that can fail returns an apivideo_status, 0 (APIVIDEO_STATUS_OK) for success. The numbers are frozen.
 * What it makes goes to out-parameters, which are set to NULL on entry and so are NULL after a failure. A NULL out-parameter
 * that is not said to be optional is NULL_ARGUMENT, and nothing is done.
 *
 * Errors. The last parameter, error_out, may be NULL; then nothing is allocated. Otherwise *error_out is NULL after a success,
 * and after a failure an apivideo_error that answers what comes next: status, message, HTTP status, api.video's problem, whether
 * and when to retry. Free it with apivideo_error_free(). There is no global or thread-local last error. INTERNAL can come from
 * every function: a bug was caught, and the library goes on working.
 *
 * Threads. A pointer to const means that any number of threads may make the call at once. The others, setters and _free, need the
 * object to themselves. There is no init function and no global setting.
 *
 * Ownership. What a function hands out belongs to the caller, who frees it with the _free of its type. What goes in is copied or
 * only read during the call. _free(NULL) is fine. Any other pointer must be one that the library gave and that was not freed.
 *
 * Strings. In: NUL-terminated UTF-8; NULL is NULL_ARGUMENT and anything else INVALID_UTF8. Out: NUL-terminated, never NULL, empty
 * where there is nothing, and alive as long as the object they were asked of.
 *
 * Time. Durations are in milliseconds, as the names say. Every wait has an end.
 *
 * Processes. After fork() a child may go on using its clients and tokens: it keeps the access token and gets its own from then on.
 * Operations of the parent are CANCELLED in the child. A child between fork() and exec() need not call anything. The library makes
 * short-lived threads that block all signals, and one that lives as long as there is something to time: a client that is kept fresh, an
 * operation. It installs no handlers, and never delays exit. Counters begin anew in a child.
 *
 * Secrets. Keys and tokens are wiped when they are freed, and are in no message and no line of the log.
 *
 * Memory. Where there is none left the process is aborted, as is usual for Rust. A client needs a few kilobytes, an exchange less than a
 * megabyte.
 */


#ifndef APIVIDEO_H
#define APIVIDEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of the header, as text. */
#define APIVIDEO_VERSION "0.1.0"


/**
 * The version's first number.
 */
#define APIVIDEO_VERSION_MAJOR 0

/**
 * The version's second number. Before 1.0 another one may mean another ABI.
 */
#define APIVIDEO_VERSION_MINOR 1

/**
 * The version's third number.
 */
#define APIVIDEO_VERSION_PATCH 0

/**
 * The ABI that the header describes. A library fits if `apivideo_abi_version()` gives the same number.
 *
 * It grows when something that was there changes or goes; not when something is added.
 */
#define APIVIDEO_ABI_VERSION 1

/**
 * The result of every call.
 *
 * The numbers are frozen: they never change and are never used again for another meaning.
 */
enum apivideo_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * It worked.
   */
  APIVIDEO_STATUS_OK = 0,
  /**
   * An argument or a setting is out of its documented range. The message names it. Do not retry.
   */
  APIVIDEO_STATUS_INVALID_ARGUMENT = 1,
  /**
   * A pointer that must not be NULL is NULL. Do not retry.
   */
  APIVIDEO_STATUS_NULL_ARGUMENT = 2,
  /**
   * A string is not valid UTF-8. Do not retry.
   */
  APIVIDEO_STATUS_INVALID_UTF8 = 3,
  /**
   * api.video itself refused the API key: it is wrong, revoked, of the other environment, or its account is suspended.
   * Check the key. Later calls try it again, after 30 seconds at first and 5 minutes at most: mending it on the server is enough.
   */
  APIVIDEO_STATUS_KEY_REJECTED = 4,
  /**
   * `apivideo_refresh`: api.video refused the refresh token. Routine: any authentication with the same key retires it.
   */
  APIVIDEO_STATUS_REFRESH_REJECTED = 5,
  /**
   * `apivideo_refresh`: there is no refresh token to send. Authenticate first.
   */
  APIVIDEO_STATUS_NO_REFRESH_TOKEN = 6,
  /**
   * `apivideo_invalidate_token`: the API rejected a token that replaced a rejected one less than 60 seconds ago.
   * Another token would not help: check the key's rights, and try again later.
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
   * The reply is not one that api.video documents: malformed, too large, a redirect, a firewall's or a sign-in page.
   * Check the base URL and what stands in between. Retry after the error's delay.
   */
  APIVIDEO_STATUS_PROTOCOL_ERROR = 10,
  /**
   * No connection, or it was lost: name resolution, connect, proxy, reset, a reply cut short. Retry after the error's delay.
   */
  APIVIDEO_STATUS_NETWORK_ERROR = 11,
  /**
   * The TLS handshake failed: unknown CA, wrong host, expired certificate. Check the CA file, the host and the clock.
   */
  APIVIDEO_STATUS_TLS_ERROR = 12,
  /**
   * No answer in time: the attempt's or the caller's own wait is over. A shared exchange goes on.
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
   * The client was freed while the call waited.
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
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apivideo_status apivideo_status;
#else
typedef int32_t apivideo_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What is counted, since the client was made or as it is now.
 */
enum apivideo_statistic
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * `POST /auth/api-key` requests made.
   */
  APIVIDEO_STATISTIC_AUTHENTICATE_REQUESTS = 0,
  /**
   * `POST /auth/refresh` requests made.
   */
  APIVIDEO_STATISTIC_REFRESH_REQUESTS = 1,
  /**
   * Tokens obtained.
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
   * Exchanges that failed otherwise.
   */
  APIVIDEO_STATISTIC_FAILURES = 5,
  /**
   * Tokens withdrawn because the API rejected them.
   */
  APIVIDEO_STATISTIC_INVALIDATIONS = 6,
  /**
   * Callers whose wait ended without an answer.
   */
  APIVIDEO_STATISTIC_TIMEOUTS = 7,
  /**
   * Now: callers waiting.
   */
  APIVIDEO_STATISTIC_WAITERS = 8,
  /**
   * Now: failed tries since the last token.
   */
  APIVIDEO_STATISTIC_CONSECUTIVE_FAILURES = 9,
  /**
   * Now: milliseconds to the next try, while tries fail.
   */
  APIVIDEO_STATISTIC_RETRY_IN_MS = 10,
  /**
   * Now: 1 while an exchange is made, else 0.
   */
  APIVIDEO_STATISTIC_EXCHANGES_IN_FLIGHT = 11,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apivideo_statistic apivideo_statistic;
#else
typedef int32_t apivideo_statistic;
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
 * Keeps one API key's token. Any number of threads may use one client at once.
 */
typedef struct apivideo_client apivideo_client;

/**
 * Settings for a client. One thread at a time may use it. Belongs to the caller, who frees it; clients keep a copy.
 */
typedef struct apivideo_config apivideo_config;

/**
 * Why a call failed. Belongs to the caller, who frees it. Any thread may read it.
 */
typedef struct apivideo_error apivideo_error;

/**
 * A call under way. Any thread may use it; it belongs to the caller, who frees it.
 */
typedef struct apivideo_operation apivideo_operation;

/**
 * A client's counters at one moment. Any thread may read it. Belongs to the caller, who frees it.
 */
typedef struct apivideo_statistics apivideo_statistics;

/**
 * An immutable snapshot of a token. Any thread may read it; a renewal does not change it; it may outlive its client.
 * Each pointer is one reference, and whoever got it frees it.
 */
typedef struct apivideo_token apivideo_token;

/**
 * Called with each line of the log: its level, its text, and the program's own pointer. The text is valid during the call.
 * Must not throw or jump out.
 */
typedef void (*apivideo_log_callback)(int32_t level, const char *message, void *user_data);

/**
 * Called once with a callback's user data when the library will not use it any more. Must not throw or jump out.
 */
typedef void (*apivideo_release_callback)(void *user_data);

/**
 * Called when the token's state has changed: one of `apivideo_token_state`, and the program's own pointer. Must not throw or
 * jump out.
 */
typedef void (*apivideo_state_callback)(int32_t state, void *user_data);

/**
 * Called once when an operation is complete. Must not throw or jump out.
 */
typedef void (*apivideo_completion_callback)(void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a client. No request is sent: the first token is got when it is first asked for.
 *
 * `api_key`: the key alone, copied; 1 to 4,096 characters of visible ASCII. What came along with it is named
 * and refused: quotes, a byte order mark, `Bearer `, `NAME=`, a variable that nothing replaced.
 * `config`: copied; NULL for the defaults. `client_out`: the client, to be freed with apivideo_client_free().
 * `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT (the key, or a proxy of the environment).
 */
apivideo_status apivideo_client_new(const char *api_key,
                                    const apivideo_config *config,
                                    apivideo_client **client_out,
                                    apivideo_error **error_out);

/**
 * Frees a client. NULL is fine. Returns without waiting for an exchange under way.
 *
 * No other call may begin with the client from here on. Calls under way that wait end with CLOSED; so do its operations, which are
 * still to be freed. Tokens stay as they are. A log or state callback may do this. The API key is wiped when an exchange under way,
 * if there is one, is over.
 */
void apivideo_client_free(apivideo_client *client);

/**
 * Gives a valid token: at once when there is one, without a lock or a system call unless it is the one read that starts a renewal; else when the one exchange that all
 * callers share has given one.
 *
 * `token_out`: a reference, to be freed with apivideo_token_free(). `error_out`: may be NULL. Any thread may call this.
 * Waits for the wait timeout at most (apivideo_config_set_wait_timeout_ms()).
 *
 * Errors: NULL_ARGUMENT, KEY_REJECTED, RATE_LIMITED, SERVER_ERROR, PROTOCOL_ERROR, NETWORK_ERROR, TLS_ERROR, TIMEOUT,
 * CLOSED, SYSTEM_ERROR. While tries fail, a call that needs a new token gets the last error at once, with the time to the
 * next try in apivideo_error_retry_after_ms(); see apivideo_config_set_wait_for_recovery() to wait instead.
 */
apivideo_status apivideo_get_token(const apivideo_client *client,
                                   const apivideo_token **token_out,
                                   apivideo_error **error_out);

/**
 * apivideo_token_id() of the token that apivideo_get_token() would give at once, or 0 if it would have to wait, and for NULL.
 *
 * For programs that keep a copy of a token's text, as bindings to other languages do: as long as this gives the copy's number, the copy
 * is still the one to use. Renews ahead of time as a read does. Any thread may call this; it never blocks.
 */
uint64_t apivideo_client_token_id(const apivideo_client *client);

/**
 * Gives a token that is good for at least `min_validity_ms` from now, for a request that takes that long. Renews if the
 * token at hand is not.
 *
 * Otherwise as apivideo_get_token(). Further error: INVALID_ARGUMENT if a fresh token could not be good that long. Of a
 * token that lives an hour, 3,540,000 ms may be asked.
 */
apivideo_status apivideo_get_token_valid_for(const apivideo_client *client,
                                             uint64_t min_validity_ms,
                                             const apivideo_token **token_out,
                                             apivideo_error **error_out);

/**
 * apivideo_get_token_valid_for() without waiting: the answer comes to an operation. For event loops, and for waits that
 * are to be sliced or cancelled. `min_validity_ms` may be 0.
 *
 * `operation_out`: the operation, to be freed with apivideo_operation_free(); it may outlive the client. `error_out`: may be
 * NULL. Any thread may call this; it never blocks. If there is a valid token the operation is complete when this returns.
 * The operation ends by itself after the wait timeout.
 *
 * Errors: NULL_ARGUMENT. All others come with the operation.
 */
apivideo_status apivideo_get_token_start(const apivideo_client *client,
                                         uint64_t min_validity_ms,
                                         apivideo_operation **operation_out,
                                         apivideo_error **error_out);

/**
 * POST /auth/api-key, now. The new token becomes the client's own, and its former refresh token dies.
 *
 * Programs have no need of this: apivideo_get_token() does what is necessary. Calls at the same time share one exchange.
 * `token_out`, `error_out`, threads and errors as for apivideo_get_token(); a recent failure does not stop the try.
 */
apivideo_status apivideo_authenticate(const apivideo_client *client,
                                      const apivideo_token **token_out,
                                      apivideo_error **error_out);

/**
 * apivideo_authenticate() without waiting: the answer comes to an operation. For event loops, and
 * for bindings that would spend a thread otherwise.
 *
 * `operation_out`: the operation, to be freed with apivideo_operation_free(); it may outlive the
 * client. `error_out`: may be NULL. Any thread may call this; it never blocks. The operation ends by
 * itself after the wait timeout.
 *
 * Errors: NULL_ARGUMENT. All others come with the operation.
 */
apivideo_status apivideo_authenticate_start(const apivideo_client *client,
                                            apivideo_operation **operation_out,
                                            apivideo_error **error_out);

/**
 * POST /auth/refresh with the client's refresh token, now. The new token becomes the client's own.
 *
 * Programs have no need of this: apivideo_get_token() does what is necessary. Calls at the same time share one exchange.
 * Does not fall back on the API key, and a failure leaves the access token in use.
 * `token_out`, `error_out` and threads as for apivideo_get_token(). Further errors: REFRESH_REJECTED, NO_REFRESH_TOKEN; not
 * KEY_REJECTED.
 */
apivideo_status apivideo_refresh(const apivideo_client *client,
                                 const apivideo_token **token_out,
                                 apivideo_error **error_out);

/**
 * apivideo_refresh() without waiting: the answer comes to an operation, as with
 * apivideo_authenticate_start().
 *
 * Errors: NULL_ARGUMENT. All others come with the operation.
 */
apivideo_status apivideo_refresh_start(const apivideo_client *client,
                                       apivideo_operation **operation_out,
                                       apivideo_error **error_out);

/**
 * Reports a 401: the API rejected a request with this token. The next apivideo_get_token() gets another with the API key.
 *
 * Does nothing if the client has a newer token already, so every request that got a 401 may report it. Does not block and
 * sends nothing. Any thread may call this. `rejected` stays the caller's. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT; TOKEN_REJECTED if this token replaced a rejected one less than 60 s ago: it is kept, since yet
 * another would not help. Give the 401 to your user.
 */
apivideo_status apivideo_invalidate_token(const apivideo_client *client,
                                          const apivideo_token *rejected,
                                          apivideo_error **error_out);

/**
 * A snapshot of the client's counters.
 *
 * `statistics_out`: to be freed with apivideo_statistics_free(). `error_out`: may be NULL. Any thread may call this.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_client_get_statistics(const apivideo_client *client,
                                               apivideo_statistics **statistics_out,
                                               apivideo_error **error_out);

/**
 * Makes settings with every default.
 *
 * `config_out`: to be freed with apivideo_config_free(). `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_config_new(apivideo_config **config_out, apivideo_error **error_out);

/**
 * Frees settings. NULL is fine. Clients made with them keep their copy.
 */
void apivideo_config_free(apivideo_config *config);

/**
 * Which of api.video's environments the key belongs to: one of `apivideo_environment`. Default: production.
 *
 * The last of this and apivideo_config_set_base_url() counts. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT; INVALID_ARGUMENT for a number that is no environment.
 */
apivideo_status apivideo_config_set_environment(apivideo_config *config,
                                                int32_t environment,
                                                apivideo_error **error_out);

/**
 * Another server than api.video's: `https://host[:port][/path]`, 2,048 bytes at most; `http://` only with "localhost" or a
 * loopback address. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8; INVALID_ARGUMENT with the reason.
 */
apivideo_status apivideo_config_set_base_url(apivideo_config *config,
                                             const char *url,
                                             apivideo_error **error_out);

/**
 * The application's name and version, sent as AV-Origin-App. Default: none.
 *
 * `name`: 1 to 50 of A-Z, a-z, 0-9, "-" and "_". `version`: 1 to 3 numbers of 1 to 3 digits with dots between them.
 * That is api.video's own rule for origins. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT (of either), INVALID_UTF8, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_app(apivideo_config *config,
                                        const char *name,
                                        const char *version,
                                        apivideo_error **error_out);

/**
 * The name and version of an SDK that is built on this library, sent as AV-Origin-Sdk. Default: none.
 *
 * Rules and errors as for apivideo_config_set_app().
 */
apivideo_status apivideo_config_set_sdk(apivideo_config *config,
                                        const char *name,
                                        const char *version,
                                        apivideo_error **error_out);

/**
 * The time for resolving the server's name, and again for the connection with its TLS handshake: 1 to 60,000 ms.
 * Default: 3,000. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_connect_timeout_ms(apivideo_config *config,
                                                       uint32_t timeout_ms,
                                                       apivideo_error **error_out);

/**
 * The time for one HTTP exchange as a whole, however slowly its bytes drip: 1 to 300,000 ms. Default: 10,000.
 * `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_attempt_timeout_ms(apivideo_config *config,
                                                       uint32_t timeout_ms,
                                                       apivideo_error **error_out);

/**
 * How long a call waits for its answer, and an operation for its end: 0 to 3,600,000 ms. Default: 30,000.
 *
 * A caller that gives up does not end the exchange. With 0 a call takes only what is there, but starts the exchange that is
 * needed. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_wait_timeout_ms(apivideo_config *config,
                                                    uint32_t timeout_ms,
                                                    apivideo_error **error_out);

/**
 * What a caller gets while no valid token can be had. With 0, the default: the last try's error, at once, with the time to the
 * next. With another number: it waits for the next tries, unless the next one is after its wait timeout or the key was rejected. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_config_set_wait_for_recovery(apivideo_config *config,
                                                      int32_t wait,
                                                      apivideo_error **error_out);

/**
 * Renews the token ahead of its expiry even when nobody reads it; begins with the first token. One timer thread serves all
 * such clients of the process. With 0, the default, a token is renewed when it is read. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_config_set_keep_fresh(apivideo_config *config,
                                               int32_t keep_fresh,
                                               apivideo_error **error_out);

/**
 * The proxy: `http://[user:password@]host[:port]`, user and password percent-encoded, or `https://` where it speaks TLS
 * itself; "" for none. Default: the environment's HTTPS_PROXY and NO_PROXY, as they are when the client is made. Loopback
 * addresses never go through a proxy. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8, INVALID_ARGUMENT.
 */
apivideo_status apivideo_config_set_proxy(apivideo_config *config,
                                          const char *url,
                                          apivideo_error **error_out);

/**
 * A file of CA certificates in PEM, 4 MiB at most, trusted besides the system's. Read now. Default: none.
 * TLS verification cannot be turned off. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT, INVALID_UTF8; INVALID_ARGUMENT if it cannot be read, or holds no certificate or a broken one.
 */
apivideo_status apivideo_config_set_ca_file(apivideo_config *config, const char *path, apivideo_error **error_out);

/**
 * Has `callback` called with each line of the log up to `level`, one of `apivideo_log_level`; NULL turns the log off, as by
 * default.
 *
 * It is called outside every lock, for one client one call at a time, in the order in which things happened: from a thread of the library
 * at the end of an exchange, or from a thread that is in a call of the client. It may call the client, and free it. It should not block for long. `user_data` must be usable so until
 * `release` is called with it: once, when these settings and every client made with them are freed or have another callback, and
 * no call is running any more. `release` may be NULL; it is called before this returns if this fails. It must not use the settings that are being changed. No line holds a key or a token. `error_out`: may be NULL.
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
 * Has `callback` called when the token's state has changed; NULL for no calls, as by default.
 *
 * Threads, `user_data` and `release` as for apivideo_config_set_log(). A state that comes with time alone, such as EXPIRED, is told when
 * somebody next asks. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT.
 */
apivideo_status apivideo_config_set_on_state(apivideo_config *config,
                                             apivideo_state_callback callback,
                                             void *user_data,
                                             apivideo_release_callback release,
                                             apivideo_error **error_out);

/**
 * A short English name of a status, such as "timeout"; "unknown status" for a number that is none.
 *
 * Never NULL. The text is static. Any thread may call this.
 */
const char *apivideo_status_string(int32_t status);

/**
 * The error's status; `APIVIDEO_STATUS_OK` for NULL.
 */
apivideo_status apivideo_error_status(const apivideo_error *error);

/**
 * One line in English: what happened, why, what to do. Holds no key and no token. Empty for NULL.
 *
 * Never NULL. The text lives as long as the error.
 */
const char *apivideo_error_message(const apivideo_error *error);

/**
 * The status of the HTTP reply that led to the error; 0 if there was none, and for NULL.
 */
int32_t apivideo_error_http_status(const apivideo_error *error);

/**
 * `type` of api.video's problem object, a URL. Empty if there is none, and for NULL.
 *
 * Never NULL. The text lives as long as the error. It comes from the server.
 */
const char *apivideo_error_problem_type(const apivideo_error *error);

/**
 * `title` of api.video's problem object, a sentence. Empty if there is none, and for NULL.
 *
 * Never NULL. The text lives as long as the error. It comes from the server.
 */
const char *apivideo_error_title(const apivideo_error *error);

/**
 * `name` of api.video's problem object, what is at fault. Empty if there is none, and for NULL.
 *
 * Never NULL. The text lives as long as the error. It comes from the server.
 */
const char *apivideo_error_name(const apivideo_error *error);

/**
 * Whether the same call may succeed later without the caller changing anything. False for NULL.
 */
bool apivideo_error_is_retryable(const apivideo_error *error);

/**
 * When trying again makes sense: milliseconds from the moment of the error, or -1 where that is not known, and for NULL.
 *
 * Before that, apivideo_get_token() fails with the same error at once if it needs a new token; see
 * apivideo_config_set_wait_for_recovery().
 */
int64_t apivideo_error_retry_after_ms(const apivideo_error *error);

/**
 * Frees an error. NULL is fine.
 */
void apivideo_error_free(apivideo_error *error);

/**
 * Waits until the operation is complete, for `timeout_ms` at most: 0 only looks, `UINT32_MAX` waits to the end.
 *
 * Any number of threads may wait, and again after each PENDING or after the end. `token_out`: a reference, to be freed with
 * apivideo_token_free(). `error_out`: may be NULL. Any thread may call this.
 *
 * Errors: PENDING if the time is over and the operation is not; CANCELLED; NULL_ARGUMENT; all of
 * apivideo_get_token_valid_for(), where TIMEOUT means that the client's wait timeout is over.
 */
apivideo_status apivideo_operation_wait(const apivideo_operation *operation,
                                        uint32_t timeout_ms,
                                        const apivideo_token **token_out,
                                        apivideo_error **error_out);

/**
 * Has `callback` called with `user_data`, exactly once, when the operation is complete, however it ends. If this call fails, the
 * callback is not called.
 *
 * It comes from a thread of the library or from any thread that is in a call of this client or of one of its operations: from this
 * one, before this returns, if the operation is complete already. It may call any function of this library, and free its own
 * operation, unless that freeing is what called it. It must not block for long. Another thread may free the operation meanwhile.
 * `user_data` must be usable from any thread until the callback was called. In a forked child the callbacks of the parent's operations
 * are not called. `error_out`: may be NULL.
 *
 * Errors: NULL_ARGUMENT; INVALID_ARGUMENT if a callback was set before; CANCELLED in a forked child.
 */
apivideo_status apivideo_operation_on_complete(const apivideo_operation *operation,
                                               apivideo_completion_callback callback,
                                               void *user_data,
                                               apivideo_error **error_out);

/**
 * Ends the operation with CANCELLED unless it is complete. The exchange that it waits for goes on for others. NULL is fine.
 * Any thread may call this.
 */
void apivideo_operation_cancel(const apivideo_operation *operation);

/**
 * Frees an operation, and cancels it if it is not complete. NULL is fine. No other call may use it from here on.
 */
void apivideo_operation_free(apivideo_operation *operation);

/**
 * One value of a snapshot.
 *
 * `statistic`: one of `apivideo_statistic`. `value_out`: 0 after a failure. `error_out`: may be NULL. Any thread may call this.
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
 * The value of an `Authorization` header: "Bearer", a space and the access token. Empty for NULL.
 *
 * Never NULL. The text lives as long as the reference. It is visible ASCII and one space: safe in a header.
 */
const char *apivideo_token_authorization(const apivideo_token *token);

/**
 * The access token alone (`access_token`). Empty for NULL.
 *
 * Never NULL. The text lives as long as the reference.
 */
const char *apivideo_token_access_token(const apivideo_token *token);

/**
 * The token's type (`token_type`): "Bearer". Empty for NULL.
 *
 * Never NULL. The text is static.
 */
const char *apivideo_token_token_type(const apivideo_token *token);

/**
 * The refresh token (`refresh_token`). Empty if api.video sent none, and for NULL.
 *
 * The library uses it by itself, once: a program that sends it takes it away from its client.
 * Never NULL. The text lives as long as the reference.
 */
const char *apivideo_token_refresh_token(const apivideo_token *token);

/**
 * A number that no other token of this process has; 0 for NULL. See apivideo_client_token_id().
 */
uint64_t apivideo_token_id(const apivideo_token *token);

/**
 * What is left of the token's life, now, in milliseconds; 0 once it has expired, and for NULL.
 *
 * Counted from the moment its request was sent, by the wall clock or a clock that counts a suspended machine's sleep,
 * whichever gives less.
 */
int64_t apivideo_token_expires_in_ms(const apivideo_token *token);

/**
 * When the token expires, in milliseconds since the Unix epoch; 0 for NULL.
 */
int64_t apivideo_token_expires_at_ms(const apivideo_token *token);

/**
 * The life that api.video gave the token (`expires_in`), in milliseconds; 0 for NULL.
 */
int64_t apivideo_token_lifetime_ms(const apivideo_token *token);

/**
 * Another reference to the same token, to be freed on its own. NULL for NULL.
 */
const apivideo_token *apivideo_token_clone(const apivideo_token *token);

/**
 * Gives a reference back. Any thread may. NULL is fine.
 */
void apivideo_token_free(const apivideo_token *token);

/**
 * The version of the library that is loaded, such as "0.1.0".
 *
 * Never NULL. The text is static. Any thread may call this.
 */
const char *apivideo_version(void);

/**
 * The version of the library that is loaded as one number that grows: major × 1,000,000 + minor × 1,000 + patch.
 */
uint32_t apivideo_version_number(void);

/**
 * The ABI of the library that is loaded. Compare it with `APIVIDEO_ABI_VERSION` where it is loaded at run time.
 */
uint32_t apivideo_abi_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* APIVIDEO_H */
