/*
 * libapivideo for C++17 and later: valid api.video bearer tokens for any thread of any program.
 *
 * SPDX-License-Identifier: MIT
 *
 *     apivideo::client client = apivideo::client::from_environment(); // APIVIDEO_API_KEY
 *     apivideo::token token = client.get_token();
 *     request.set_header("Authorization", std::string(token.authorization()));
 *
 * This is apivideo.h with owners, exceptions and std::future. It adds no rule of its own to a
 * token's life, and needs only the standard library. Link with libapivideo.
 *
 * What holds for everything here
 * ------------------------------
 *
 * Errors. A call that can fail comes in two forms: get_token() throws an apivideo::error, and
 * try_get_token() returns a result, which holds the value or the error. The second form of a
 * constructor is the static try_create(). Both forms may also throw std::bad_alloc, and nothing
 * else.
 *
 * Without exceptions (-fno-exceptions) use the try_ forms. If a throwing form fails, it prints the
 * error's message and aborts. There are no _async() forms, because a future reports its error as an
 * exception, and pages are asked for with try_next(). If a program passes handles between files
 * that are compiled with and without exceptions, it does not link.
 *
 * Ownership. client, config, operation, response, statistics, token and upload are handles. They
 * can be moved but not copied, and they free what they hold. A handle that was moved from is empty.
 * Calls on an empty handle fail with null_argument, or give 0 or an empty text; they never crash.
 * native_handle() lends the C handle for a call of apivideo.h.
 *
 * Threads. Any number of threads may call const members of one object at once. Other members and
 * the destructor need the object to themselves.
 *
 * Strings. In: const char* or std::string, in UTF-8. A null pointer fails with null_argument, and a
 * NUL inside a std::string with invalid_argument. Out: a std::string_view, which is followed by a
 * NUL and lives as long as the object that it comes from.
 *
 * Callbacks. They are called on threads of the library and of the program, so they must be safe
 * there. If a callback throws, the exception is dropped.
 *
 * Time. Durations go in as std::chrono::milliseconds, or as anything that converts to it without
 * loss.
 */

#ifndef APIVIDEO_HPP
#define APIVIDEO_HPP

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "apivideo.h"

static_assert(APIVIDEO_ABI_VERSION == 1, "apivideo.hpp and apivideo.h are of different versions");

// A class that is thrown must be one and the same in every library of a program, also in those that
// hide their symbols.
#if defined(__GNUC__)
#define APIVIDEO_HPP_VISIBLE __attribute__((visibility("default")))
#else
#define APIVIDEO_HPP_VISIBLE
#endif

namespace apivideo {

#if !defined(__cpp_exceptions)
// Another name for the linker. Else it would take one of the two kinds of code for both.
inline namespace no_exceptions {
#endif

using std::chrono::milliseconds;

// --- Numbers with names ---

/// The result of a call. apivideo.h says what each means. A later library may return further ones.
enum class status : std::int32_t {
    ok = APIVIDEO_STATUS_OK,
    invalid_argument = APIVIDEO_STATUS_INVALID_ARGUMENT,
    null_argument = APIVIDEO_STATUS_NULL_ARGUMENT,
    invalid_utf8 = APIVIDEO_STATUS_INVALID_UTF8,
    key_rejected = APIVIDEO_STATUS_KEY_REJECTED,
    refresh_rejected = APIVIDEO_STATUS_REFRESH_REJECTED,
    no_refresh_token = APIVIDEO_STATUS_NO_REFRESH_TOKEN,
    token_rejected = APIVIDEO_STATUS_TOKEN_REJECTED,
    rate_limited = APIVIDEO_STATUS_RATE_LIMITED,
    server_error = APIVIDEO_STATUS_SERVER_ERROR,
    protocol_error = APIVIDEO_STATUS_PROTOCOL_ERROR,
    network_error = APIVIDEO_STATUS_NETWORK_ERROR,
    tls_error = APIVIDEO_STATUS_TLS_ERROR,
    timeout = APIVIDEO_STATUS_TIMEOUT,
    pending = APIVIDEO_STATUS_PENDING,
    cancelled = APIVIDEO_STATUS_CANCELLED,
    closed = APIVIDEO_STATUS_CLOSED,
    system_error = APIVIDEO_STATUS_SYSTEM_ERROR,
    internal = APIVIDEO_STATUS_INTERNAL,
    request_rejected = APIVIDEO_STATUS_REQUEST_REJECTED,
    file_error = APIVIDEO_STATUS_FILE_ERROR,
};

/// Which of api.video's two environments a key belongs to.
enum class environment : std::int32_t {
    production = APIVIDEO_ENVIRONMENT_PRODUCTION,
    sandbox = APIVIDEO_ENVIRONMENT_SANDBOX,
};

/// How much of the log a program wants: everything up to and including this level.
enum class log_level : std::int32_t {
    off = APIVIDEO_LOG_LEVEL_OFF,
    error = APIVIDEO_LOG_LEVEL_ERROR,
    warning = APIVIDEO_LOG_LEVEL_WARNING,
    info = APIVIDEO_LOG_LEVEL_INFO,
    debug = APIVIDEO_LOG_LEVEL_DEBUG,
};

/// What a client can give, now.
enum class token_state : std::int32_t {
    none = APIVIDEO_TOKEN_STATE_NONE,
    valid = APIVIDEO_TOKEN_STATE_VALID,
    renewal_failing = APIVIDEO_TOKEN_STATE_RENEWAL_FAILING,
    expired = APIVIDEO_TOKEN_STATE_EXPIRED,
    rejected = APIVIDEO_TOKEN_STATE_REJECTED,
    unavailable = APIVIDEO_TOKEN_STATE_UNAVAILABLE,
};

/// What a client counts. apivideo.h says what each means.
enum class statistic : std::int32_t {
    authenticate_requests = APIVIDEO_STATISTIC_AUTHENTICATE_REQUESTS,
    refresh_requests = APIVIDEO_STATISTIC_REFRESH_REQUESTS,
    tokens_granted = APIVIDEO_STATISTIC_TOKENS_GRANTED,
    refresh_rejections = APIVIDEO_STATISTIC_REFRESH_REJECTIONS,
    key_rejections = APIVIDEO_STATISTIC_KEY_REJECTIONS,
    failures = APIVIDEO_STATISTIC_FAILURES,
    invalidations = APIVIDEO_STATISTIC_INVALIDATIONS,
    timeouts = APIVIDEO_STATISTIC_TIMEOUTS,
    waiters = APIVIDEO_STATISTIC_WAITERS,
    consecutive_failures = APIVIDEO_STATISTIC_CONSECUTIVE_FAILURES,
    retry_in_ms = APIVIDEO_STATISTIC_RETRY_IN_MS,
    exchanges_in_flight = APIVIDEO_STATISTIC_EXCHANGES_IN_FLIGHT,
    tokens_adopted = APIVIDEO_STATISTIC_TOKENS_ADOPTED,
    store_failures = APIVIDEO_STATISTIC_STORE_FAILURES,
};

/// Gives a short English name, such as "timeout".
[[nodiscard]] inline std::string_view to_string(status value) noexcept {
    return apivideo_status_string(static_cast<std::int32_t>(value));
}

/// Gives the version of the loaded library, such as "0.1.0".
[[nodiscard]] inline std::string_view version() noexcept {
    return apivideo_version();
}

/// Tells whether this header describes the loaded library. A linked program need not ask, because
/// the library's file name ensures it. A program that loads the library itself should ask.
[[nodiscard]] inline bool is_abi_compatible() noexcept {
    return apivideo_abi_version() == APIVIDEO_ABI_VERSION;
}

// --- Errors and results ---

/// One fault of a request, in api.video's words: `type`, a URL that identifies its kind; `title`,
/// one sentence; `name`, the field or thing at fault; `detail`, more about this very case. A text
/// is empty if there is none. The texts live as long as the error.
struct problem {
    std::string_view type{};
    std::string_view title{};
    std::string_view name{};
    std::string_view detail{};
};

/// Why a call failed. what() is one line in English and contains no key and no token. Copies share
/// their contents and do not throw.
class APIVIDEO_HPP_VISIBLE error : public std::runtime_error {
public:
    /// Makes an error of the program's own.
    error(apivideo::status status, const std::string& message)
        : std::runtime_error(message), status_(status) {}

    /// Takes an error that the library gave.
    explicit error(std::shared_ptr<apivideo_error> handle)
        : std::runtime_error(apivideo_error_message(handle.get())),
          status_(static_cast<apivideo::status>(apivideo_error_status(handle.get()))),
          handle_(std::move(handle)) {}

    /// The kind of failure.
    [[nodiscard]] apivideo::status status() const noexcept { return status_; }

    /// The status of the HTTP reply that led to the error. 0 if there was no reply.
    [[nodiscard]] int http_status() const noexcept {
        return apivideo_error_http_status(handle_.get());
    }

    /// `type` of api.video's problem object, a URL. Empty if there is none. It comes from the
    /// server.
    [[nodiscard]] std::string_view problem_type() const noexcept {
        return apivideo_error_problem_type(handle_.get());
    }

    /// `title` of api.video's problem object, one sentence. Empty if there is none. It comes from
    /// the server.
    [[nodiscard]] std::string_view title() const noexcept {
        return apivideo_error_title(handle_.get());
    }

    /// `name` of api.video's problem object: the field or thing at fault. Empty if there is none.
    /// It comes from the server.
    [[nodiscard]] std::string_view name() const noexcept {
        return apivideo_error_name(handle_.get());
    }

    /// `detail` of api.video's problem object: more about this very case. Empty if there is none.
    /// It comes from the server.
    [[nodiscard]] std::string_view detail() const noexcept {
        return apivideo_error_detail(handle_.get());
    }

    /// `problems` of api.video's problem object: each fault of a request that has several, such as
    /// each attribute that is wrong.
    [[nodiscard]] std::vector<problem> problems() const {
        std::vector<problem> faults(apivideo_error_problem_count(handle_.get()));
        for (std::size_t at = 0; at < faults.size(); at++) {
            faults[at] = {apivideo_error_problem_type_at(handle_.get(), at),
                          apivideo_error_title_at(handle_.get(), at),
                          apivideo_error_name_at(handle_.get(), at),
                          apivideo_error_detail_at(handle_.get(), at)};
        }
        return faults;
    }

    /// Whether the same call may succeed later although the caller changes nothing.
    [[nodiscard]] bool is_retryable() const noexcept {
        return apivideo_error_is_retryable(handle_.get());
    }

    /// The time after which it makes sense to try again, counted from the moment of the error.
    /// Nothing where that is not known.
    [[nodiscard]] std::optional<milliseconds> retry_after() const noexcept {
        const std::int64_t ms = apivideo_error_retry_after_ms(handle_.get());
        return ms < 0 ? std::nullopt : std::optional(milliseconds(ms));
    }

private:
    apivideo::status status_;
    std::shared_ptr<apivideo_error> handle_{};
};

// Not part of the interface.
namespace detail {

/// Throws an error, or ends the program where nothing can be thrown.
[[noreturn]] inline void raise(const error& why) {
#if defined(__cpp_exceptions)
    throw why;
#else
    std::fprintf(stderr, "libapivideo: %s\n", why.what());
    std::abort();
#endif
}

/// Calls a function of the program's. What it throws is lost: behind C nobody could catch it.
template <typename Function, typename... Arguments>
void call_quietly(const Function& function, Arguments... arguments) noexcept {
#if defined(__cpp_exceptions)
    try {
        function(arguments...);
    } catch (...) {
    }
#else
    function(arguments...);
#endif
}

}  // namespace detail

/// A value, or the error that prevented it. The members are named as in std::expected.
template <typename T>
class [[nodiscard]] result {
public:
    result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
    result(apivideo::error why) : content_(std::in_place_index<1>, std::move(why)) {}

    [[nodiscard]] bool has_value() const noexcept { return content_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    /// Gives the value, or throws the error.
    T& value() & {
        throw_if_error();
        return **this;
    }
    const T& value() const& {
        throw_if_error();
        return **this;
    }
    T&& value() && {
        throw_if_error();
        return *std::move(*this);
    }

    /// Gives the value. The result must hold one.
    [[nodiscard]] T& operator*() & noexcept { return *std::get_if<0>(&content_); }
    [[nodiscard]] const T& operator*() const& noexcept { return *std::get_if<0>(&content_); }
    [[nodiscard]] T&& operator*() && noexcept { return std::move(*std::get_if<0>(&content_)); }
    [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&content_); }
    [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&content_); }

    /// Gives the error. The result must hold one.
    [[nodiscard]] const apivideo::error& error() const noexcept {
        return *std::get_if<1>(&content_);
    }

private:
    void throw_if_error() const {
        if (!has_value()) {
            detail::raise(error());
        }
    }

    std::variant<T, apivideo::error> content_;
};

/// Success, or the error that prevented it.
template <>
class [[nodiscard]] result<void> {
public:
    result() noexcept = default;
    result(apivideo::error why) : error_(std::move(why)) {}

    [[nodiscard]] bool has_value() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    /// Throws the error if there is one.
    void value() const {
        if (error_) {
            detail::raise(*error_);
        }
    }

    /// Gives the error. The result must hold one.
    [[nodiscard]] const apivideo::error& error() const noexcept { return *error_; }

private:
    std::optional<apivideo::error> error_{};
};

/// A string argument: a `const char*` or a `std::string`. It is not copied, and must live during
/// the call.
///
/// There is no form for std::string_view. C needs a NUL at the end, so it would have to be copied,
/// and the copy would leave an API key in memory.
class text {
public:
    text(const char* value) noexcept : value_(value) {}
    text(const std::string& value) noexcept
        : value_(value.c_str()), is_cut_(std::strlen(value.c_str()) != value.size()) {}

    [[nodiscard]] const char* c_str() const noexcept { return value_; }

    /// Whether C would see only a part of it, because it contains a NUL.
    [[nodiscard]] bool is_cut() const noexcept { return is_cut_; }

private:
    const char* value_;
    bool is_cut_ = false;
};

// Not part of the interface.
namespace detail {

template <typename T, void (*Free)(T*)>
struct deleter {
    void operator()(T* handle) const noexcept { Free(handle); }
};

/// The owner of a C handle.
template <typename T, void (*Free)(T*)>
using owner = std::unique_ptr<T, deleter<T, Free>>;

/// Makes a call of the form `status call(apivideo_error** error_out)`.
template <typename Call>
result<void> attempt(const Call& call) {
    apivideo_error* why = nullptr;
    if (call(&why) == APIVIDEO_STATUS_OK) {
        return {};
    }
    return error(std::shared_ptr<apivideo_error>(why, apivideo_error_free));
}

/// Makes a call of the form `status call(H** out, apivideo_error** error_out)`, and wraps the
/// handle that it gives.
template <typename Handle, typename Call>
result<Handle> make(const Call& call) {
    typename Handle::native_handle_type handle = nullptr;
    const result<void> done = attempt([&](apivideo_error** why) { return call(&handle, why); });
    if (!done) {
        return done.error();
    }
    return Handle(handle);
}

inline error null_argument(const char* what) {
    return error(status::null_argument, std::string("The argument `") + what + "` is NULL.");
}

inline error cut_text(const char* what) {
    return error(status::invalid_argument,
                 std::string("The argument `") + what + "` has a NUL character in it.");
}

/// A wait as C takes it: 32 bits, of which the highest number means "to the end".
inline std::uint32_t wait_ms(milliseconds wait) noexcept {
    if (wait.count() <= 0) {
        return 0;
    }
    return wait.count() < UINT32_MAX ? static_cast<std::uint32_t>(wait.count()) : UINT32_MAX;
}

}  // namespace detail

// --- Tokens ---

/// An immutable snapshot of a token. A renewal does not change it, and it may outlive its client.
/// Any thread may read it.
class token {
public:
    using native_handle_type = const apivideo_token*;

    /// Takes ownership of one reference of C's. Null is fine.
    explicit token(native_handle_type handle) noexcept : handle_(handle) {}

    /// Gives another handle to the same token. This is cheap: it counts references.
    [[nodiscard]] token clone() const noexcept {
        return token(apivideo_token_clone(native_handle()));
    }

    /// Whether this holds a token. False after it was moved from.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    [[nodiscard]] native_handle_type native_handle() const noexcept { return handle_.get(); }

    // The texts live in the token. A temporary token, as in client.get_token().authorization(),
    // gives copies.

    /// The value of an `Authorization` header: "Bearer", a space and the access token. It is
    /// visible ASCII, so it is safe in a header.
    [[nodiscard]] std::string_view authorization() const& noexcept {
        return apivideo_token_authorization(native_handle());
    }
    [[nodiscard]] std::string authorization() const&& { return std::string(authorization()); }

    /// The access token alone.
    [[nodiscard]] std::string_view access_token() const& noexcept {
        return apivideo_token_access_token(native_handle());
    }
    [[nodiscard]] std::string access_token() const&& { return std::string(access_token()); }

    /// The refresh token. Empty if api.video sent none. It works only once, and the library uses it
    /// by itself: if the program sends it, the client's own refresh is rejected.
    [[nodiscard]] std::string_view refresh_token() const& noexcept {
        return apivideo_token_refresh_token(native_handle());
    }
    [[nodiscard]] std::string refresh_token() const&& { return std::string(refresh_token()); }

    /// The token's type, "Bearer".
    [[nodiscard]] std::string_view token_type() const noexcept {
        return apivideo_token_token_type(native_handle());
    }

    /// The time until the token expires. 0 once it has expired.
    [[nodiscard]] milliseconds expires_in() const noexcept {
        return milliseconds(apivideo_token_expires_in_ms(native_handle()));
    }

    /// The time at which the token expires, by the wall clock.
    [[nodiscard]] std::chrono::system_clock::time_point expires_at() const noexcept {
        return std::chrono::system_clock::time_point(
            std::chrono::duration_cast<std::chrono::system_clock::duration>(
                milliseconds(apivideo_token_expires_at_ms(native_handle()))));
    }

    /// A number that no other token of this process has. Two snapshots of one token have the same.
    [[nodiscard]] std::uint64_t id() const noexcept { return apivideo_token_id(native_handle()); }

    /// The whole life that api.video gave the token.
    [[nodiscard]] milliseconds lifetime() const noexcept {
        return milliseconds(apivideo_token_lifetime_ms(native_handle()));
    }

private:
    detail::owner<const apivideo_token, apivideo_token_free> handle_;
};

// --- Responses ---

/// The answer to a request that succeeded. It never changes, and it may outlive its client. Any
/// thread may read it.
class response {
public:
    using native_handle_type = const apivideo_response*;

    /// Takes ownership of one reference of C's. Null is fine.
    explicit response(native_handle_type handle) noexcept : handle_(handle) {}

    /// Whether this holds a response. False after it was moved from.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    [[nodiscard]] native_handle_type native_handle() const noexcept { return handle_.get(); }

    /// The status of the HTTP reply, from 200 to 299.
    [[nodiscard]] int http_status() const noexcept {
        return apivideo_response_http_status(native_handle());
    }

    // The texts live in the response. A temporary response, as in client.request(…).body(), gives
    // copies.

    /// The body as it came, mostly JSON. Empty if there is none.
    [[nodiscard]] std::string_view body() const& noexcept {
        return {apivideo_response_body(native_handle()),
                apivideo_response_body_length(native_handle())};
    }
    [[nodiscard]] std::string body() const&& { return std::string(body()); }

    /// The value of a header, such as "X-RateLimit-Remaining". Upper and lower case are the same.
    /// What came several times is joined with ", ". Empty if there is no such header.
    [[nodiscard]] std::string_view header(const text& name) const& noexcept {
        return name.is_cut() ? "" : apivideo_response_header(native_handle(), name.c_str());
    }
    [[nodiscard]] std::string header(const text& name) const&& { return std::string(header(name)); }

    /// The path of the next page. Empty on the last page, and where there are no pages.
    [[nodiscard]] std::string_view next_page() const& noexcept {
        return apivideo_response_next_page(native_handle());
    }
    [[nodiscard]] std::string next_page() const&& { return std::string(next_page()); }

private:
    detail::owner<const apivideo_response, apivideo_response_free> handle_;
};

// --- Operations ---

// Not part of the interface.
namespace detail {

inline apivideo_status wait_for(const apivideo_operation* operation, std::uint32_t timeout_ms,
                                const apivideo_token** out, apivideo_error** why) noexcept {
    return apivideo_operation_wait(operation, timeout_ms, out, why);
}

inline apivideo_status wait_for(const apivideo_operation* operation, std::uint32_t timeout_ms,
                                const apivideo_response** out, apivideo_error** why) noexcept {
    return apivideo_operation_wait_response(operation, timeout_ms, out, why);
}

/// C calls this once, when something is complete, so it deletes the function.
inline void call_and_delete(void* user_data) noexcept {
    const std::unique_ptr<std::function<void()>> callback(
        static_cast<std::function<void()>*>(user_data));
    call_quietly(*callback);
}

/// Hands a function over that C calls once.
template <typename Setter>
result<void> set_completion(const Setter& setter, std::function<void()> callback) {
    if (!callback) {
        return null_argument("callback");
    }
    auto told = std::make_unique<std::function<void()>>(std::move(callback));
    // The callback may run at once and destroy what it is set for: only `told` is used below.
    const result<void> done = attempt([&](apivideo_error** why) {
        return setter(call_and_delete, static_cast<void*>(told.get()), why);
    });
    if (done) {
        static_cast<void>(told.release());  // It was called and deleted, or will be.
    }
    return done;
}

/// Hands a function over to the library. The library gives it back to be deleted, whether this
/// succeeds or not.
template <typename Setter, typename Trampoline, typename Function>
result<void> set_callback(const Setter& setter, Trampoline trampoline, Function function) {
    // `+` makes a function pointer of a lambda, of the type of its NULL.
    auto callback = +trampoline;
    Function* user_data = nullptr;
    apivideo_release_callback release = nullptr;
    if (function) {
        user_data = new Function(std::move(function));
        release = [](void* pointer) noexcept { delete static_cast<Function*>(pointer); };
    } else {
        callback = nullptr;
    }
    return attempt([&](apivideo_error** why) {
        return setter(callback, static_cast<void*>(user_data), release, why);
    });
}

template <typename Function, typename... Arguments>
void call(void* user_data, Arguments... arguments) noexcept {
    call_quietly(*static_cast<Function*>(user_data), arguments...);
}

}  // namespace detail

/// A call under way, whose answer is a token or a response. The destructor cancels it if it is not
/// complete. Any thread may use it, and it may outlive its client.
template <typename Answer>
class basic_operation {
public:
    using native_handle_type = apivideo_operation*;

    /// Takes ownership of a C handle. Null is fine.
    explicit basic_operation(native_handle_type handle) noexcept : handle_(handle) {}

    /// Whether this holds an operation. False after it was moved from.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    [[nodiscard]] native_handle_type native_handle() const noexcept { return handle_.get(); }

    /// Waits for the answer, at most for the client's wait timeout.
    ///
    /// Errors: cancelled, closed, and all errors of the call that was started. Any number of
    /// threads may wait, and may wait again after the end.
    [[nodiscard]] Answer wait() const { return try_wait().value(); }
    /// As above, without throwing.
    [[nodiscard]] result<Answer> try_wait() const { return look(UINT32_MAX); }

    /// Waits for the answer, at most for `timeout`; with 0 it does not wait. Gives nothing if the
    /// operation is not complete by then.
    [[nodiscard]] std::optional<Answer> wait(milliseconds timeout) const {
        std::optional<result<Answer>> answer = try_wait(timeout);
        return answer ? std::optional(std::move(*answer).value()) : std::nullopt;
    }
    /// As above, without throwing.
    [[nodiscard]] std::optional<result<Answer>> try_wait(milliseconds timeout) const {
        result<Answer> answer = look(detail::wait_ms(timeout));
        if (!answer && answer.error().status() == status::pending) {
            return std::nullopt;
        }
        return answer;
    }

    /// Calls `callback` once, when the operation is complete, however it ends. The call comes on a
    /// thread of the library, on the thread of some other call, or on this one before this returns.
    ///
    /// The callback must not block for long. It may do anything else, and may destroy the
    /// operation. It is destroyed right after its call. In a forked child, callbacks of the
    /// parent's operations are not called.
    ///
    /// Errors: null_argument for an empty function; invalid_argument if the operation already has a
    /// callback.
    void on_complete(std::function<void()> callback) const {
        try_on_complete(std::move(callback)).value();
    }
    /// As above, without throwing.
    result<void> try_on_complete(std::function<void()> callback) const {
        return detail::set_completion(
            [this](auto... arguments) {
                return apivideo_operation_on_complete(native_handle(), arguments...);
            },
            std::move(callback));
    }

    /// Ends the operation with cancelled, unless it is complete. The exchange for a token goes on
    /// for other callers; nothing more of a request is sent.
    void cancel() const noexcept {
        apivideo_operation_cancel(native_handle());
    }

private:
    [[nodiscard]] result<Answer> look(std::uint32_t timeout_ms) const {
        using native = typename Answer::native_handle_type;
        return detail::make<Answer>([&](native* out, apivideo_error** why) {
            return detail::wait_for(native_handle(), timeout_ms, out, why);
        });
    }

    detail::owner<apivideo_operation, apivideo_operation_free> handle_;
};

/// A call under way that gives a token.
using operation = basic_operation<token>;

/// A request under way.
using request_operation = basic_operation<response>;

// --- Statistics ---

/// A client's counters at one moment. Any thread may read them.
class statistics {
public:
    using native_handle_type = apivideo_statistics*;

    /// Takes ownership of a C handle. Null is fine.
    explicit statistics(native_handle_type handle) noexcept : handle_(handle) {}

    /// Whether this holds a snapshot. False after it was moved from.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    [[nodiscard]] native_handle_type native_handle() const noexcept { return handle_.get(); }

    /// Gives one value. Error: invalid_argument for a number that the library does not know.
    [[nodiscard]] std::uint64_t get(statistic which) const { return try_get(which).value(); }
    /// As above, without throwing.
    [[nodiscard]] result<std::uint64_t> try_get(statistic which) const {
        std::uint64_t value = 0;
        const result<void> done = detail::attempt([&](apivideo_error** why) {
            return apivideo_statistics_get(native_handle(), static_cast<std::int32_t>(which),
                                           &value, why);
        });
        if (!done) {
            return done.error();
        }
        return value;
    }

private:
    detail::owner<apivideo_statistics, apivideo_statistics_free> handle_;
};

// --- Stores ---

/// What a program's own store keeps under a name.
struct record {
    /// 1 to 2^63 - 1. 0, without data: nothing is kept, and `now` is the store's clock all the
    /// same.
    std::uint64_t version = 0;
    /// Up to 65,536 bytes.
    std::string data{};
    /// Of a record that was loaded: the time by the store's own clock, where processes on machines
    /// with different clocks share it. Nothing for this machine's.
    std::optional<std::chrono::system_clock::time_point> now{};
};

/// A place where the processes that use one API key share its token. Any number of settings and
/// clients may use one, and any thread; they go on with it when this object is gone.
class store {
public:
    using native_handle_type = apivideo_store*;

    /// Loads what is kept under `name`; nothing if nothing is. After `timeout` the library goes on
    /// without the answer.
    using load_function = std::function<result<std::optional<record>>(
        std::string_view name, milliseconds timeout)>;

    /// Keeps `kept` under `name`, if what is kept there now has the version `expected`, or if
    /// `expected` is 0 and nothing is. Gives whether it did. The comparison and the change must be
    /// one step for all who use the store. What is kept may be removed after `keep`.
    using swap_function = std::function<result<bool>(std::string_view name, std::uint64_t expected,
                                                     const record& kept, milliseconds keep,
                                                     milliseconds timeout)>;

    /// Makes a store of a program's own: a database table, or anything else that can compare and
    /// swap.
    ///
    /// The functions are called on threads of the library, one call at a time. What they throw, or
    /// an error that they give, is a failure of the store. They must not call the client whose
    /// store this is, and are destroyed when this and all that use it are gone and no call is
    /// running any more. Error: null_argument.
    [[nodiscard]] static store own(load_function load, swap_function swap) {
        return try_own(std::move(load), std::move(swap)).value();
    }
    [[nodiscard]] static result<store> try_own(load_function load, swap_function swap) {
        if (!load || !swap) {
            return detail::null_argument(load ? "swap" : "load");
        }
        auto* const calls = new own_calls{std::move(load), std::move(swap)};
        return detail::make<store>([&](apivideo_store** out, apivideo_error** why) {
            return apivideo_store_new(call_load, call_swap, calls, release_calls, out, why);
        });
    }

    /// Makes a store of files in the user's usual place, for the processes that one user has on one
    /// machine. Error: invalid_argument if that place cannot be used.
    [[nodiscard]] static store file() { return try_file().value(); }
    /// In a directory that is this user's alone, or that is made so.
    [[nodiscard]] static store file(const text& directory) { return try_file(directory).value(); }
    /// As above, without throwing.
    [[nodiscard]] static result<store> try_file() { return make_file(nullptr); }
    [[nodiscard]] static result<store> try_file(const text& directory) {
        if (directory.is_cut()) {
            return detail::cut_text("directory");
        }
        return make_file(directory.c_str());
    }

    /// Makes a store in Redis or Valkey, for the processes of many machines. Sends nothing yet. The
    /// forms of `url` are those of apivideo_store_new_redis(). Error: invalid_argument.
    [[nodiscard]] static store redis(const text& url) { return try_redis(url).value(); }
    /// With a PEM file of certificates that are trusted besides the system's.
    [[nodiscard]] static store redis(const text& url, const text& ca_file) {
        return try_redis(url, ca_file).value();
    }
    /// As above, without throwing.
    [[nodiscard]] static result<store> try_redis(const text& url) {
        if (url.is_cut()) {
            return detail::cut_text("url");
        }
        return make_redis(url.c_str(), nullptr);
    }
    [[nodiscard]] static result<store> try_redis(const text& url, const text& ca_file) {
        if (url.is_cut() || ca_file.is_cut()) {
            return detail::cut_text(url.is_cut() ? "url" : "ca_file");
        }
        return make_redis(url.c_str(), ca_file.c_str());
    }

    /// Makes the store that a text names, as APIVIDEO_STORE of the environment does. Error:
    /// invalid_argument. A place that cannot be used is none: clients go on as without a store.
    [[nodiscard]] static store named(const text& name) { return try_named(name).value(); }
    /// With a PEM file of certificates that are trusted besides the system's.
    [[nodiscard]] static store named(const text& name, const text& ca_file) {
        return try_named(name, ca_file).value();
    }
    /// As above, without throwing.
    [[nodiscard]] static result<store> try_named(const text& name) {
        return name.is_cut() ? detail::cut_text("name") : make_named(name.c_str(), nullptr);
    }
    [[nodiscard]] static result<store> try_named(const text& name, const text& ca_file) {
        if (name.is_cut() || ca_file.is_cut()) {
            return detail::cut_text(name.is_cut() ? "name" : "ca_file");
        }
        return make_named(name.c_str(), ca_file.c_str());
    }

    /// Takes ownership of a C handle. Null is fine.
    explicit store(native_handle_type handle) noexcept : handle_(handle) {}

    /// Whether this holds a store. False after it was moved from.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    [[nodiscard]] native_handle_type native_handle() const noexcept { return handle_.get(); }

private:
    [[nodiscard]] static result<store> make_file(const char* directory) {
        return detail::make<store>([&](apivideo_store** out, apivideo_error** why) {
            return apivideo_store_new_file(directory, out, why);
        });
    }

    [[nodiscard]] static result<store> make_redis(const char* url, const char* ca_file) {
        return detail::make<store>([&](apivideo_store** out, apivideo_error** why) {
            return apivideo_store_new_redis(url, ca_file, out, why);
        });
    }

    [[nodiscard]] static result<store> make_named(const char* name, const char* ca_file) {
        return detail::make<store>([&](apivideo_store** out, apivideo_error** why) {
            return apivideo_store_new_named(name, ca_file, out, why);
        });
    }

    struct own_calls {
        load_function load;
        swap_function swap;
    };

    static std::int32_t call_load(const char* name, std::uint32_t timeout_ms,
                                  apivideo_record* loaded, void* user_data) noexcept {
        return answer([&] {
            const auto& load = static_cast<const own_calls*>(user_data)->load;
            const result<std::optional<record>> kept = load(name, milliseconds(timeout_ms));
            if (!kept) {
                return APIVIDEO_STORE_RESULT_FAILED;
            }
            return !*kept || set(loaded, **kept) ? APIVIDEO_STORE_RESULT_OK
                                                 : APIVIDEO_STORE_RESULT_FAILED;
        });
    }

    static bool set(apivideo_record* loaded, const record& kept) {
        const auto since = kept.now ? kept.now->time_since_epoch()
                                    : std::chrono::system_clock::duration::zero();
        const auto now_ms = std::chrono::duration_cast<milliseconds>(since).count();
        return apivideo_record_set(loaded, kept.version, kept.data.data(), kept.data.size(), now_ms,
                                   nullptr) == APIVIDEO_STATUS_OK;
    }

    static std::int32_t call_swap(const char* name, std::uint64_t expected, std::uint64_t version,
                                  const void* data, std::size_t size, std::uint64_t keep_ms,
                                  std::uint32_t timeout_ms, void* user_data) noexcept {
        return answer([&] {
            const auto& swap = static_cast<const own_calls*>(user_data)->swap;
            const record kept{version, std::string(static_cast<const char*>(data), size)};
            const result<bool> swapped =
                swap(name, expected, kept, milliseconds(keep_ms), milliseconds(timeout_ms));
            if (!swapped) {
                return APIVIDEO_STORE_RESULT_FAILED;
            }
            return *swapped ? APIVIDEO_STORE_RESULT_OK : APIVIDEO_STORE_RESULT_CONFLICT;
        });
    }

    /// A call that throws has failed.
    template <typename Call>
    static std::int32_t answer(const Call& call) noexcept {
        std::int32_t given = APIVIDEO_STORE_RESULT_FAILED;
        detail::call_quietly([&] { given = call(); });
        return given;
    }

    static void release_calls(void* user_data) noexcept {
        delete static_cast<own_calls*>(user_data);
    }

    detail::owner<apivideo_store, apivideo_store_free> handle_;
};

// --- Settings ---

/// Settings for a client. Each has a default. Clients keep a copy. Only one thread at a time may
/// use them.
///
/// The setters return the object, so calls can be chained. If a setter fails, its error is
/// invalid_argument with the reason in what(), and the setting stays as it was.
class config {
public:
    using native_handle_type = apivideo_config*;

    /// Makes settings that hold every default.
    config() : config(try_create().value()) {}
    /// As above, without throwing.
    [[nodiscard]] static result<config> try_create() {
        return detail::make<config>(apivideo_config_new);
    }

    /// Takes ownership of a C handle. Null is fine.
    explicit config(native_handle_type handle) noexcept : handle_(handle) {}

    /// Whether this holds settings. False after it was moved from.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    [[nodiscard]] native_handle_type native_handle() const noexcept { return handle_.get(); }

    /// Sets which of api.video's environments the key belongs to. Default: the server that
    /// APIVIDEO_BASE_URL or APIVIDEO_ENVIRONMENT names, else production. This replaces an earlier
    /// base URL, and the other way round.
    config& set_environment(environment value) { return checked(try_set_environment(value)); }
    result<void> try_set_environment(environment value) {
        return set(apivideo_config_set_environment, static_cast<std::int32_t>(value));
    }

    /// Sets another server than api.video's: "https://host[:port][/path]". "http://" is allowed for
    /// "localhost" and loopback addresses only.
    config& set_base_url(const text& url) { return checked(try_set_base_url(url)); }
    result<void> try_set_base_url(const text& url) {
        return set_text(apivideo_config_set_base_url, "url", url);
    }

    /// Sets the application's name and version, which are sent with every request. Default: none.
    /// `name`: 1 to 50 characters of A-Z, a-z, 0-9, "-" and "_". `version`: 1 to 3 numbers of 1 to
    /// 3 digits, with dots between them.
    config& set_app(const text& name, const text& version) {
        return checked(try_set_app(name, version));
    }
    result<void> try_set_app(const text& name, const text& version) {
        return set_origin(apivideo_config_set_app, name, version);
    }

    /// Sets the name and version of an SDK that is built on this library. Default: none. The rules
    /// are as for set_app().
    config& set_sdk(const text& name, const text& version) {
        return checked(try_set_sdk(name, version));
    }
    result<void> try_set_sdk(const text& name, const text& version) {
        return set_origin(apivideo_config_set_sdk, name, version);
    }

    /// Sets the time limit for resolving the server's name, and the same again for connecting: 1 ms
    /// to 1 min. Default: 3 s.
    config& set_connect_timeout(milliseconds timeout) {
        return checked(try_set_connect_timeout(timeout));
    }
    result<void> try_set_connect_timeout(milliseconds timeout) {
        return set_duration(apivideo_config_set_connect_timeout_ms, timeout);
    }

    /// Sets the time limit for one HTTP exchange as a whole: 1 ms to 5 min. Default: 10 s.
    config& set_attempt_timeout(milliseconds timeout) {
        return checked(try_set_attempt_timeout(timeout));
    }
    result<void> try_set_attempt_timeout(milliseconds timeout) {
        return set_duration(apivideo_config_set_attempt_timeout_ms, timeout);
    }

    /// Sets how long a call waits for its answer, and how long an operation lasts: 0 to 1 h.
    /// Default: 30 s. With 0 a call never waits: it returns a token that is there, or else starts
    /// the exchange and fails with timeout.
    config& set_wait_timeout(milliseconds timeout) {
        return checked(try_set_wait_timeout(timeout));
    }
    result<void> try_set_wait_timeout(milliseconds timeout) {
        return set_duration(apivideo_config_set_wait_timeout_ms, timeout);
    }

    /// Sets whether a call waits for the next tries while no valid token can be obtained. Default:
    /// no, it fails at once with the last exchange's error.
    config& set_wait_for_recovery(bool wait) { return checked(try_set_wait_for_recovery(wait)); }
    result<void> try_set_wait_for_recovery(bool wait) {
        return set(apivideo_config_set_wait_for_recovery, wait ? 1 : 0);
    }

    /// Sets whether the token is renewed even while nobody reads it. Default: no.
    config& set_keep_fresh(bool keep_fresh) { return checked(try_set_keep_fresh(keep_fresh)); }
    result<void> try_set_keep_fresh(bool keep_fresh) {
        return set(apivideo_config_set_keep_fresh, keep_fresh ? 1 : 0);
    }

    /// Sets how many bytes the body of a reply to request() may have: 1 to 1,073,741,824. Default:
    /// 16,777,216. A larger one is a protocol_error that says so.
    config& set_max_reply_bytes(std::uint64_t bytes) {
        return checked(try_set_max_reply_bytes(bytes));
    }
    result<void> try_set_max_reply_bytes(std::uint64_t bytes) {
        return set(apivideo_config_set_max_reply_bytes, bytes);
    }

    /// Sets the proxy: "scheme://[user:password@]host[:port]", user and password percent-encoded;
    /// "" means no proxy. The scheme is http, https, socks4, socks4a, socks5 or socks5h. Default:
    /// that of the environment when the client is made, as apivideo_config_set_proxy() says.
    config& set_proxy(const text& url) { return checked(try_set_proxy(url)); }
    result<void> try_set_proxy(const text& url) {
        return set_text(apivideo_config_set_proxy, "url", url);
    }

    /// Sets a file of certificates in PEM, of CAs or a server's own, that are trusted in addition
    /// to the system's. The file is read now, and again when it has changed. Default: the one that
    /// APIVIDEO_CA_FILE names, else none.
    config& set_ca_file(const text& path) { return checked(try_set_ca_file(path)); }
    result<void> try_set_ca_file(const text& path) {
        return set_text(apivideo_config_set_ca_file, "path", path);
    }

    /// Sets where the processes that use this key share its token, so that all of them together
    /// make one exchange for each token. A store that is empty means nowhere. Default: what
    /// APIVIDEO_STORE of the environment says when the client is made, as
    /// apivideo_config_set_store() tells.
    config& set_store(const store& shared) { return checked(try_set_store(shared)); }
    result<void> try_set_store(const store& shared) {
        return set(apivideo_config_set_store, shared.native_handle());
    }

    /// Sets the time limit for an operation of the store: 1 ms to 10 s. Default: 1 s.
    config& set_store_timeout(milliseconds timeout) {
        return checked(try_set_store_timeout(timeout));
    }
    result<void> try_set_store_timeout(milliseconds timeout) {
        return set_duration(apivideo_config_set_store_timeout_ms, timeout);
    }

    /// Receives the lines of the log. The text is valid during the call. No line contains a key or
    /// a token.
    using log_function = std::function<void(log_level level, std::string_view line)>;

    /// Calls `log` with each line up to `level`. An empty function turns the log off, which is the
    /// default.
    ///
    /// The calls for one client come one at a time, on any thread, and may call the client. Clients
    /// that share these settings may call it at the same time. It is destroyed when these settings
    /// and all clients made with them are gone or have another one, and no call is running any
    /// more.
    config& set_log(log_level level, log_function log) {
        return checked(try_set_log(level, std::move(log)));
    }
    result<void> try_set_log(log_level level, log_function log) {
        return detail::set_callback(
            [this, level](auto... arguments) {
                return apivideo_config_set_log(native_handle(), static_cast<std::int32_t>(level),
                                               arguments...);
            },
            [](std::int32_t at, const char* line, void* user_data) noexcept {
                detail::call<log_function>(user_data, static_cast<log_level>(at),
                                           std::string_view(line));
            },
            std::move(log));
    }

    /// Receives the token's new state.
    using state_function = std::function<void(token_state state)>;

    /// Calls `on_state` when the token's state has changed. An empty function means no calls, which
    /// is the default. Threads and destruction are as for set_log().
    config& set_on_state(state_function on_state) {
        return checked(try_set_on_state(std::move(on_state)));
    }
    result<void> try_set_on_state(state_function on_state) {
        return detail::set_callback(
            [this](auto... arguments) {
                return apivideo_config_set_on_state(native_handle(), arguments...);
            },
            [](std::int32_t state, void* user_data) noexcept {
                detail::call<state_function>(user_data, static_cast<token_state>(state));
            },
            std::move(on_state));
    }

private:
    config& checked(const result<void>& done) {
        done.value();
        return *this;
    }

    template <typename Setter, typename... Values>
    result<void> set(Setter setter, Values... values) {
        return detail::attempt(
            [&](apivideo_error** why) { return setter(native_handle(), values..., why); });
    }

    template <typename Setter>
    result<void> set_text(Setter setter, const char* what, const text& value) {
        return value.is_cut() ? detail::cut_text(what) : set(setter, value.c_str());
    }

    template <typename Setter>
    result<void> set_origin(Setter setter, const text& name, const text& version) {
        if (name.is_cut()) {
            return detail::cut_text("name");
        }
        return version.is_cut() ? detail::cut_text("version")
                                : set(setter, name.c_str(), version.c_str());
    }

    template <typename Setter>
    result<void> set_duration(Setter setter, milliseconds value) {
        if (value.count() < 0 || value.count() > UINT32_MAX) {
            return error(status::invalid_argument, "The timeout of " +
                                                       std::to_string(value.count()) +
                                                       " ms is negative or too long.");
        }
        return set(setter, static_cast<std::uint32_t>(value.count()));
    }

    detail::owner<apivideo_config, apivideo_config_free> handle_;
};

// --- Uploads ---

/// How far an upload is, in bytes. No number ever goes back.
struct upload_progress {
    /// What api.video has said it has.
    std::uint64_t acknowledged = 0;
    /// That, and what was sent since.
    std::uint64_t sent = 0;
    /// All of it; 0 while that is not known.
    std::uint64_t total = 0;
};

/// What an upload sends, and how. `video_id` or `token` must be given; all else may stay as it is.
struct upload_options {
    /// The video that the source is for. It was made with POST /videos.
    std::string video_id{};
    /// An upload token to send with, in place of the client's API key. It makes the video, unless
    /// `video_id` names one.
    std::string token{};
    /// The path of the file to send, in UTF-8. Without one, the program writes the bytes.
    std::string file{};
    /// The name that api.video is told. Default: the file's own, or "video".
    std::string file_name{};
    /// How many bytes the program will write, if that is known. More are an error, fewer when
    /// finish() is called, and neither is a video: the last chunk is sent only then.
    std::optional<std::uint64_t> size{};
    /// The size of a chunk, 5 to 200 MiB. Default: of a file, by its size, 5 to 50 MiB; of what is
    /// written, 16 MiB.
    std::optional<std::uint64_t> chunk_size{};
    /// How many chunks are sent side by side, 1 to 8. Default: of a file, 1; of what is written, 2.
    std::optional<std::uint32_t> parallel{};
    /// Whether to go on where an earlier upload ended: see apivideo_upload_set_resume().
    bool resume = false;
    /// Is told how far the upload is, on the library's threads, one call at a time. It must not
    /// block for long, and may do anything else.
    std::function<void(const upload_progress&)> on_progress{};
};

/// A video's source on its way to api.video. The destructor cancels it if it is not over; the video
/// can be resumed. Any thread may use it, and it may outlive its client.
class upload {
public:
    using native_handle_type = apivideo_upload*;

    /// Takes ownership of a C handle. Null is fine.
    explicit upload(native_handle_type handle) noexcept : handle_(handle) {}

    /// Whether this holds an upload. False after it was moved from.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    [[nodiscard]] native_handle_type native_handle() const noexcept { return handle_.get(); }

    /// Hands bytes over, of an upload without a file. Waits until there is room for them. The order
    /// of the calls is that of the bytes.
    ///
    /// Errors: invalid_argument for an upload of a file, for more bytes than were announced, and
    /// after finish(); the error of the upload, once it has failed; cancelled.
    void write(const void* data, std::size_t length) const { try_write(data, length).value(); }
    void write(std::string_view bytes) const { write(bytes.data(), bytes.size()); }
    /// As above, without throwing.
    result<void> try_write(const void* data, std::size_t length) const {
        return detail::attempt([&](apivideo_error** why) {
            return apivideo_upload_write(native_handle(), data, length, why);
        });
    }
    result<void> try_write(std::string_view bytes) const {
        return try_write(bytes.data(), bytes.size());
    }

    /// Says that all bytes were handed over. Does not wait for them to be sent.
    ///
    /// Errors: invalid_argument if nothing or less was written than was announced; file_error if
    /// less was written than an earlier upload has sent; cancelled.
    void finish() const { try_finish().value(); }
    /// As above, without throwing.
    result<void> try_finish() const {
        return detail::attempt([&](apivideo_error** why) {
            return apivideo_upload_finish(native_handle(), why);
        });
    }

    /// Waits for the end, however long it takes: the response is api.video's with the video.
    ///
    /// Errors: cancelled, closed, and all errors of client::upload_file(). Any number of threads
    /// may wait, and may wait again after the end.
    [[nodiscard]] response wait() const { return try_wait().value(); }
    /// As above, without throwing.
    [[nodiscard]] result<response> try_wait() const { return look(UINT32_MAX); }

    /// Waits for the end, at most for `timeout`; with 0 it does not wait. Gives nothing if the
    /// upload is not over by then.
    [[nodiscard]] std::optional<response> wait(milliseconds timeout) const {
        std::optional<result<response>> answer = try_wait(timeout);
        return answer ? std::optional(std::move(*answer).value()) : std::nullopt;
    }
    /// As above, without throwing.
    [[nodiscard]] std::optional<result<response>> try_wait(milliseconds timeout) const {
        result<response> answer = look(detail::wait_ms(timeout));
        if (!answer && answer.error().status() == status::pending) {
            return std::nullopt;
        }
        return answer;
    }

    /// Calls `callback` once, when the upload is over, as basic_operation::on_complete() does.
    void on_complete(std::function<void()> callback) const {
        try_on_complete(std::move(callback)).value();
    }
    /// As above, without throwing.
    result<void> try_on_complete(std::function<void()> callback) const {
        return detail::set_completion(
            [this](auto... arguments) {
                return apivideo_upload_on_complete(native_handle(), arguments...);
            },
            std::move(callback));
    }

    /// Gives how far the upload is. Never blocks.
    [[nodiscard]] upload_progress progress() const noexcept {
        upload_progress now;
        apivideo_upload_progress(native_handle(), &now.acknowledged, &now.sent, &now.total);
        return now;
    }

    /// The id of the video. Empty while it has none: by an upload token, until the first chunk has
    /// arrived. The text lives as long as the upload.
    [[nodiscard]] std::string_view video_id() const noexcept {
        return apivideo_upload_video_id(native_handle());
    }

    /// Ends the upload with cancelled, unless it is over, and at once. The video can be resumed.
    void cancel() const noexcept {
        apivideo_upload_cancel(native_handle());
    }

private:
    friend class client;

    [[nodiscard]] result<response> look(std::uint32_t timeout_ms) const {
        return detail::make<response>([&](const apivideo_response** out, apivideo_error** why) {
            return apivideo_upload_wait(native_handle(), timeout_ms, out, why);
        });
    }

    template <typename Setter, typename... Values>
    result<void> set(Setter setter, Values... values) const {
        return detail::attempt(
            [&](apivideo_error** why) { return setter(native_handle(), values..., why); });
    }

    template <typename Setter>
    result<void> set_text(Setter setter, const char* what, const text& value) const {
        return value.is_cut() ? detail::cut_text(what) : set(setter, value.c_str());
    }

    /// Gives it all its settings, and starts it.
    result<void> begin(const upload_options& options) const {
        result<void> done;
        const auto text_if = [&](auto setter, const char* what, const std::string& value) {
            if (done && !value.empty()) {
                done = this->set_text(setter, what, value);
            }
        };
        const auto number_if = [&](auto setter, const auto& value) {
            if (done && value) {
                done = this->set(setter, *value);
            }
        };
        text_if(apivideo_upload_set_video_id, "video_id", options.video_id);
        text_if(apivideo_upload_set_token, "token", options.token);
        text_if(apivideo_upload_set_file, "path", options.file);
        text_if(apivideo_upload_set_file_name, "name", options.file_name);
        number_if(apivideo_upload_set_size, options.size);
        number_if(apivideo_upload_set_chunk_size, options.chunk_size);
        number_if(apivideo_upload_set_parallel, options.parallel);
        if (done && options.resume) {
            done = set(apivideo_upload_set_resume, 1);
        }
        if (done && options.on_progress) {
            done = set_on_progress(options.on_progress);
        }
        return done ? set(apivideo_upload_start) : done;
    }

    using progress_function = std::function<void(const upload_progress&)>;

    result<void> set_on_progress(progress_function on_progress) const {
        return detail::set_callback(
            [this](auto... arguments) {
                return apivideo_upload_set_on_progress(native_handle(), arguments...);
            },
            [](std::uint64_t acknowledged, std::uint64_t sent, std::uint64_t total,
               void* user_data) noexcept {
                detail::call<progress_function>(user_data,
                                                upload_progress{acknowledged, sent, total});
            },
            std::move(on_progress));
    }

    detail::owner<apivideo_upload, apivideo_upload_free> handle_;
};

// --- Clients ---

class pages;

/// Holds one API key and keeps a valid token for it. Any number of threads may use one client at
/// once. A program needs only one for each key.
class client {
public:
    using native_handle_type = apivideo_client*;

    /// Makes a client for an API key, which is copied. Sends no request: the client gets its first
    /// token when a caller first asks for one. Reads the environment, as apivideo.h says, now and
    /// never again. A null pointer is an error: from_environment() takes the environment's key.
    ///
    /// Errors: null_argument; invalid_utf8; invalid_argument if the key or a variable is malformed.
    explicit client(const text& api_key) : client(try_create(api_key).value()) {}
    client(const text& api_key, const config& settings)
        : client(try_create(api_key, settings).value()) {}
    /// As above, without throwing.
    [[nodiscard]] static result<client> try_create(const text& api_key) {
        return with_key(api_key, nullptr);
    }
    [[nodiscard]] static result<client> try_create(const text& api_key, const config& settings) {
        return with_key(api_key, &settings);
    }

    /// Makes a client for the API key in APIVIDEO_API_KEY of the environment.
    ///
    /// Errors: as above; null_argument if the environment has no key.
    [[nodiscard]] static client from_environment() { return try_from_environment().value(); }
    [[nodiscard]] static client from_environment(const config& settings) {
        return try_from_environment(settings).value();
    }
    /// As above, without throwing.
    [[nodiscard]] static result<client> try_from_environment() { return create(nullptr, nullptr); }
    [[nodiscard]] static result<client> try_from_environment(const config& settings) {
        return create(nullptr, &settings);
    }

    /// Makes a client without an API key, which can upload by upload token, and nothing else. It is
    /// for programs in the hands of people who must not have the key.
    ///
    /// Errors: invalid_utf8; invalid_argument if a variable of the environment is malformed.
    [[nodiscard]] static client without_key() { return try_without_key().value(); }
    [[nodiscard]] static client without_key(const config& settings) {
        return try_without_key(settings).value();
    }
    /// As above, without throwing.
    [[nodiscard]] static result<client> try_without_key() { return create_without_key(nullptr); }
    [[nodiscard]] static result<client> try_without_key(const config& settings) {
        if (!settings) {
            // To C this would mean the defaults, and so another server.
            return detail::null_argument("settings");
        }
        return create_without_key(settings.native_handle());
    }

    /// Takes ownership of a C handle. Null is fine.
    explicit client(native_handle_type handle) noexcept : handle_(handle) {}

    /// Whether this holds a client. False after it was moved from.
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    [[nodiscard]] native_handle_type native_handle() const noexcept { return handle_.get(); }

    /// The server that the client gets its tokens from, such as "https://ws.api.video". The text
    /// lives as long as the client.
    [[nodiscard]] std::string_view base_url() const noexcept {
        return apivideo_client_base_url(native_handle());
    }

    /// Gives a token that stays valid for at least `min_validity` from now. 0 or less means any
    /// valid token. If the client has one, this returns at once. If not, this waits for the
    /// exchange, which all callers share, but no longer than the wait timeout.
    ///
    /// Errors: key_rejected, rate_limited, server_error, protocol_error, network_error, tls_error,
    /// timeout, closed, system_error; invalid_argument if even a new token would expire sooner. Of
    /// a token that lives one hour, up to 59 min may be asked.
    [[nodiscard]] token get_token(milliseconds min_validity = milliseconds(0)) const {
        return try_get_token(min_validity).value();
    }
    /// As above, without throwing.
    [[nodiscard]] result<token> try_get_token(milliseconds min_validity = milliseconds(0)) const {
        if (min_validity.count() <= 0) {
            return ask(apivideo_get_token);
        }
        return ask(apivideo_get_token_valid_for, validity_ms(min_validity));
    }

#if defined(__cpp_exceptions)
    /// Starts get_token() and returns at once. A future receives the token or the error. Never
    /// blocks.
    ///
    /// The future may be dropped: that ends nothing and blocks nobody. It is ready after the wait
    /// timeout at the latest, or with closed when the client is destroyed. In a forked child the
    /// parent's futures are never ready.
    [[nodiscard]] std::future<token> get_token_async(
        milliseconds min_validity = milliseconds(0)) const {
        return future_of<token>(try_get_token_start(min_validity));
    }
#endif

    /// Starts get_token() and returns at once. An operation receives the token or the error. Use
    /// this in event loops, to wait in slices, and to be able to cancel. Never blocks.
    [[nodiscard]] operation get_token_start(milliseconds min_validity = milliseconds(0)) const {
        return try_get_token_start(min_validity).value();
    }
    /// As above, without throwing.
    [[nodiscard]] result<operation> try_get_token_start(
        milliseconds min_validity = milliseconds(0)) const {
        return detail::make<operation>([&](apivideo_operation** out, apivideo_error** why) {
            return apivideo_get_token_start(native_handle(), validity_ms(min_validity), out, why);
        });
    }

    /// Sends POST /auth/api-key now. The new token becomes the client's own, and its former refresh
    /// token becomes invalid. Programs need not call this: get_token() does what is necessary.
    /// Errors are as for get_token().
    token authenticate() const { return try_authenticate().value(); }
    /// As above, without throwing.
    result<token> try_authenticate() const { return ask(apivideo_authenticate); }
    /// Starts authenticate() and returns at once. An operation receives the token or the error.
    [[nodiscard]] operation authenticate_start() const { return try_authenticate_start().value(); }
    /// As above, without throwing.
    [[nodiscard]] result<operation> try_authenticate_start() const {
        return start(apivideo_authenticate_start);
    }

    /// Sends POST /auth/refresh now. The new token becomes the client's own. Programs need not call
    /// this: get_token() does what is necessary. This never uses the API key instead.
    ///
    /// Errors: those of get_token() without key_rejected, and refresh_rejected, no_refresh_token.
    token refresh() const { return try_refresh().value(); }
    /// As above, without throwing.
    result<token> try_refresh() const { return ask(apivideo_refresh); }
    /// Starts refresh() and returns at once. An operation receives the token or the error.
    [[nodiscard]] operation refresh_start() const { return try_refresh_start().value(); }
    /// As above, without throwing.
    [[nodiscard]] result<operation> try_refresh_start() const {
        return start(apivideo_refresh_start);
    }

    /// Gives the id of the token that get_token() would return at once. 0 if it would have to wait.
    /// Never blocks.
    [[nodiscard]] std::uint64_t token_id() const noexcept {
        return apivideo_client_token_id(native_handle());
    }

    /// Reports a 401: the API rejected a request with this token. The next get_token() gets another
    /// token. Every request that got a 401 may report it: this does nothing if the client already
    /// has a newer token. It does not block and sends nothing.
    ///
    /// Error: token_rejected if this token replaced a rejected one less than 60 s ago. Pass the 401
    /// on to your user.
    void invalidate_token(const token& rejected) const { try_invalidate_token(rejected).value(); }
    /// As above, without throwing.
    result<void> try_invalidate_token(const token& rejected) const {
        return detail::attempt([&](apivideo_error** why) {
            return apivideo_invalidate_token(native_handle(), rejected.native_handle(), why);
        });
    }

    /// Makes a request to the API with a valid token, and waits for its end, but no longer than the
    /// wait timeout. `path` is what follows the base URL, query and all, such as
    /// "/videos?pageSize=100", percent-encoded. `json` is the body.
    ///
    /// A 401 renews the token and sends once more; a 429 waits as it is told; a request that was
    /// surely not carried out is tried again, and GET, PUT, DELETE and HEAD also after a 502, 503
    /// or 504 or a lost reply. apivideo_request() says more.
    ///
    /// Errors: request_rejected for a 4xx, with the problem; invalid_argument; those of
    /// get_token(); rate_limited, server_error, protocol_error, network_error, tls_error, timeout,
    /// closed, system_error.
    response request(const text& method, const text& path) const {
        return try_request(method, path).value();
    }
    response request(const text& method, const text& path, const text& json) const {
        return try_request(method, path, json).value();
    }
    /// As above, without throwing.
    result<response> try_request(const text& method, const text& path) const {
        return send<response>(apivideo_request, method, path, nullptr);
    }
    result<response> try_request(const text& method, const text& path, const text& json) const {
        return send<response>(apivideo_request, method, path, json);
    }

    /// Starts request() and returns at once. An operation receives the response or the error. Never
    /// blocks.
    [[nodiscard]] request_operation request_start(const text& method, const text& path) const {
        return try_request_start(method, path).value();
    }
    [[nodiscard]] request_operation request_start(const text& method, const text& path,
                                                  const text& json) const {
        return try_request_start(method, path, json).value();
    }
    /// As above, without throwing.
    [[nodiscard]] result<request_operation> try_request_start(const text& method,
                                                              const text& path) const {
        return send<request_operation>(apivideo_request_start, method, path, nullptr);
    }
    [[nodiscard]] result<request_operation> try_request_start(const text& method, const text& path,
                                                              const text& json) const {
        return send<request_operation>(apivideo_request_start, method, path, json);
    }

#if defined(__cpp_exceptions)
    /// Starts request() and returns at once. A future receives the response or the error, as with
    /// get_token_async().
    [[nodiscard]] std::future<response> request_async(const text& method, const text& path) const {
        return future_of<response>(try_request_start(method, path));
    }
    [[nodiscard]] std::future<response> request_async(const text& method, const text& path,
                                                      const text& json) const {
        return future_of<response>(try_request_start(method, path, json));
    }
#endif

    /// Gives the pages of a list, such as "/videos?pageSize=100", one request each. The client must
    /// outlive them.
    ///
    ///     for (const apivideo::response& page : client.pages("/videos")) read(page.body());
    [[nodiscard]] apivideo::pages pages(std::string path) const&;
    void pages(std::string path) const&& = delete;

    /// Sends a file as the source of a video that was made with POST /videos, and waits for the
    /// end, however long it takes. The response is api.video's with the video. Whatever may pass is
    /// ridden out, as apivideo_upload_file() says.
    ///
    /// Errors: invalid_argument; file_error if the file cannot be read, or changes meanwhile;
    /// request_rejected; those of get_token(); rate_limited, server_error, protocol_error,
    /// network_error, tls_error, timeout when a chunk has failed time after time; closed;
    /// system_error.
    response upload_file(const text& video_id, const text& path) const {
        return try_upload_file(video_id, path).value();
    }
    /// As above, without throwing.
    result<response> try_upload_file(const text& video_id, const text& path) const {
        if (video_id.is_cut()) {
            return detail::cut_text("video_id");
        }
        if (path.is_cut()) {
            return detail::cut_text("path");
        }
        return detail::make<response>([&](const apivideo_response** out, apivideo_error** why) {
            return apivideo_upload_file(native_handle(), video_id.c_str(), path.c_str(), out, why);
        });
    }

    /// Starts an upload, and returns at once.
    ///
    /// Errors: invalid_argument; file_error if the file cannot be opened; closed; system_error. The
    /// upload reports all others.
    [[nodiscard]] apivideo::upload upload(const upload_options& options) const {
        return try_upload(options).value();
    }
    /// As above, without throwing.
    [[nodiscard]] result<apivideo::upload> try_upload(const upload_options& options) const {
        result<apivideo::upload> made = detail::make<apivideo::upload>(
            [&](apivideo_upload** out, apivideo_error** why) {
                return apivideo_upload_new(native_handle(), out, why);
            });
        if (made) {
            const result<void> done = made->begin(options);
            if (!done) {
                return done.error();
            }
        }
        return made;
    }

#if defined(__cpp_exceptions)
    /// Starts upload() of a file, and returns at once. A future receives the response or the error,
    /// as with get_token_async().
    ///
    /// The future holds invalid_argument if no file is named: nobody could write the bytes.
    [[nodiscard]] std::future<response> upload_async(const upload_options& options) const {
        if (options.file.empty()) {
            return future_of<response>(result<apivideo::upload>(
                error(status::invalid_argument, "`file` is empty: only a file can be sent so.")));
        }
        return future_of<response>(try_upload(options));
    }
#endif

    /// Takes a snapshot of the client's counters.
    [[nodiscard]] statistics get_statistics() const { return try_get_statistics().value(); }
    /// As above, without throwing.
    [[nodiscard]] result<statistics> try_get_statistics() const {
        return detail::make<statistics>([&](apivideo_statistics** out, apivideo_error** why) {
            return apivideo_client_get_statistics(native_handle(), out, why);
        });
    }

private:
    /// Ends the client's operations with closed, and then frees those that nobody else does.
    static void close(apivideo_client* handle) noexcept {
        apivideo_client_free(handle);
    }

    static result<client> with_key(const text& api_key, const config* settings) {
        if (api_key.c_str() == nullptr) {
            // To C this would mean the environment's key, and so another account.
            return detail::null_argument("api_key");
        }
        if (api_key.is_cut()) {
            return detail::cut_text("api_key");
        }
        return create(api_key.c_str(), settings);
    }

    /// Without a key, that of the environment counts; without settings, the defaults.
    static result<client> create(const char* api_key, const config* settings) {
        if (settings != nullptr && !*settings) {
            // To C this would mean the defaults, and so another server.
            return detail::null_argument("settings");
        }
        return detail::make<client>([&](apivideo_client** out, apivideo_error** why) {
            return apivideo_client_new(
                api_key, settings != nullptr ? settings->native_handle() : nullptr, out, why);
        });
    }

    static result<client> create_without_key(const apivideo_config* settings) {
        return detail::make<client>([&](apivideo_client** out, apivideo_error** why) {
            return apivideo_client_new_without_key(settings, out, why);
        });
    }

    template <typename Function, typename... Arguments>
    result<token> ask(Function function, Arguments... arguments) const {
        return detail::make<token>([&](const apivideo_token** out, apivideo_error** why) {
            return function(native_handle(), arguments..., out, why);
        });
    }

    template <typename Function>
    result<operation> start(Function function) const {
        return detail::make<operation>([&](apivideo_operation** out, apivideo_error** why) {
            return function(native_handle(), out, why);
        });
    }

    /// Without a body, `json` is nullptr.
    template <typename Handle, typename Function, typename Json>
    result<Handle> send(Function function, const text& method, const text& path,
                        const Json& json) const {
        if (method.is_cut()) {
            return detail::cut_text("method");
        }
        if (path.is_cut()) {
            return detail::cut_text("path");
        }
        const char* body = nullptr;
        if constexpr (std::is_same_v<Json, text>) {
            if (json.is_cut()) {
                return detail::cut_text("json");
            }
            if (json.c_str() == nullptr) {
                return detail::null_argument("json");
            }
            body = json.c_str();
        }
        using native = std::remove_pointer_t<typename Handle::native_handle_type>;
        return detail::make<Handle>([&](native** out, apivideo_error** why) {
            return function(native_handle(), method.c_str(), path.c_str(), body, out, why);
        });
    }

#if defined(__cpp_exceptions)
    /// A future for what an operation, or an upload, gives.
    template <typename Answer, typename Operation>
    static std::future<Answer> future_of(result<Operation> started) {
        struct call {
            std::promise<Answer> promise{};
            Operation started{nullptr};

            void settle(result<Answer> answer) {
                if (answer) {
                    promise.set_value(*std::move(answer));
                } else {
                    promise.set_exception(std::make_exception_ptr(answer.error()));
                }
            }
        };

        const auto asked = std::make_shared<call>();
        std::future<Answer> future = asked->promise.get_future();
        if (!started) {
            asked->settle(started.error());
            return future;
        }
        asked->started = *std::move(started);
        // The callback holds what it needs, the operation too, and lets go of it when it has been
        // called.
        const result<void> told = asked->started.try_on_complete(
            [asked] { asked->settle(asked->started.try_wait()); });
        if (!told) {
            asked->settle(told.error());
        }
        return future;
    }
#endif

    static std::uint64_t validity_ms(milliseconds min_validity) noexcept {
        return min_validity.count() > 0 ? static_cast<std::uint64_t>(min_validity.count()) : 0;
    }

    detail::owner<apivideo_client, close> handle_;
};

// --- Pages ---

/// The pages of a list, each the response to a request that is made when it is asked for. A range
/// to go through once. One thread at a time.
class pages {
public:
    /// The pages from this one on. The client must outlive them.
    pages(const client& of, std::string path) : client_(of), path_(std::move(path)) {}

    /// Gives the next page, or nothing after the last, or at one that came before. A page that
    /// failed is asked for again.
    [[nodiscard]] std::optional<response> next() { return try_next().value(); }
    /// As above, without throwing.
    [[nodiscard]] result<std::optional<response>> try_next() {
        if (is_over_) {
            return std::optional<response>();
        }
        result<response> page = client_.get().try_request("GET", path_);
        if (!page) {
            return page.error();
        }
        seen_.insert(std::move(path_));
        path_ = page->next_page();
        // Pages that lead to one another would have no end.
        is_over_ = path_.empty() || seen_.count(path_) != 0;
        return std::optional<response>(*std::move(page));
    }

    /// Stands at a page, or behind the last.
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = response;
        using difference_type = std::ptrdiff_t;
        using pointer = const response*;
        using reference = const response&;

        iterator() noexcept = default;
        iterator(const iterator&) = default;
        iterator(iterator&&) = default;
        iterator& operator=(const iterator&) = default;
        iterator& operator=(iterator&&) = default;
        ~iterator() = default;
        explicit iterator(pages& of) : pages_(&of), page_(share(of.next())) {}

        reference operator*() const noexcept { return *page_; }
        pointer operator->() const noexcept { return page_.get(); }
        iterator& operator++() {
            page_ = share(pages_->next());
            return *this;
        }
        iterator operator++(int) {
            iterator before = *this;
            ++*this;
            return before;
        }

        /// All are the same that stand behind the last page.
        friend bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.page_ == b.page_;
        }
        friend bool operator!=(const iterator& a, const iterator& b) noexcept { return !(a == b); }

    private:
        static std::shared_ptr<const response> share(std::optional<response> page) {
            return page ? std::make_shared<const response>(*std::move(page)) : nullptr;
        }

        pages* pages_ = nullptr;
        std::shared_ptr<const response> page_{};
    };

    /// Makes the first request.
    [[nodiscard]] iterator begin() { return iterator(*this); }
    [[nodiscard]] iterator end() const noexcept { return {}; }

private:
    std::reference_wrapper<const client> client_;
    std::string path_;
    std::set<std::string> seen_{};
    bool is_over_ = false;
};

inline apivideo::pages client::pages(std::string path) const& {
    return apivideo::pages(*this, std::move(path));
}

// --- Webhooks ---

/// Tells whether a webhook call comes from api.video: whether `signature`, the value of its header
/// `X-Api-Video-Signature`, is that of its body as it came, with the webhook's `signatureSecret`.
/// Takes the same time wherever the first difference is. False if the secret is empty.
[[nodiscard]] inline bool verify_webhook(const text& secret, std::string_view body,
                                         const text& signature) noexcept {
    return !secret.is_cut() && !signature.is_cut() &&
           apivideo_webhook_verify(secret.c_str(), body.data(), body.size(), signature.c_str());
}

#if !defined(__cpp_exceptions)
}  // namespace no_exceptions
#endif

}  // namespace apivideo

#undef APIVIDEO_HPP_VISIBLE

#endif  // APIVIDEO_HPP
