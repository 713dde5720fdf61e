namespace LibApiVideo
{
    /// <summary>What a call ended with. The numbers are those of the native library.</summary>
    public enum ApiVideoStatus
    {
        /// <summary>It worked.</summary>
        Ok = 0,

        /// <summary>An argument or an option is out of its range: an <see cref="System.ArgumentException"/>.</summary>
        InvalidArgument = 1,

        /// <summary>An argument is missing: an <see cref="System.ArgumentException"/>.</summary>
        NullArgument = 2,

        /// <summary>A string is not valid: an <see cref="System.ArgumentException"/>.</summary>
        InvalidUtf8 = 3,

        /// <summary>api.video refused the API key.</summary>
        KeyRejected = 4,

        /// <summary>api.video refused the refresh token. Routine: any authentication with the same key retires it.</summary>
        RefreshRejected = 5,

        /// <summary>There is no refresh token to send. Authenticate first.</summary>
        NoRefreshToken = 6,

        /// <summary>The API rejected a token that replaced a rejected one less than a minute ago.</summary>
        TokenRejected = 7,

        /// <summary>api.video asked to slow down (429).</summary>
        RateLimited = 8,

        /// <summary>api.video answered with 5xx or 408.</summary>
        ServerError = 9,

        /// <summary>The reply is not one that api.video documents.</summary>
        ProtocolError = 10,

        /// <summary>No connection, or it was lost.</summary>
        NetworkError = 11,

        /// <summary>The TLS handshake failed: unknown CA, wrong host, expired certificate.</summary>
        TlsError = 12,

        /// <summary>No answer in time.</summary>
        Timeout = 13,

        /// <summary>Not complete yet. Never seen outside the package.</summary>
        Pending = 14,

        /// <summary>Cancelled: an <see cref="System.OperationCanceledException"/>.</summary>
        Cancelled = 15,

        /// <summary>The client was disposed: an <see cref="System.ObjectDisposedException"/>.</summary>
        Closed = 16,

        /// <summary>The operating system refused a thread, a file descriptor or memory.</summary>
        SystemError = 17,

        /// <summary>A bug in the native library, which goes on working. Please report it.</summary>
        Internal = 18,
    }

    /// <summary>Which of api.video's two environments a key belongs to.</summary>
    public enum ApiVideoEnvironment
    {
        /// <summary><c>https://ws.api.video</c>.</summary>
        Production = 0,

        /// <summary><c>https://sandbox.api.video</c>.</summary>
        Sandbox = 1,
    }

    /// <summary>How much of the log is wanted: everything up to and including this level.</summary>
    public enum ApiVideoLogLevel
    {
        /// <summary>Nothing.</summary>
        Off = 0,

        /// <summary>What needs somebody's attention: the API key is refused.</summary>
        Error = 1,

        /// <summary>What is ridden out: a failed renewal, a rejected token.</summary>
        Warning = 2,

        /// <summary>The ordinary life of a token: one line an exchange.</summary>
        Info = 3,

        /// <summary>What helps to understand decisions.</summary>
        Debug = 4,
    }

    /// <summary>What a client can give, now.</summary>
    public enum TokenState
    {
        /// <summary>There has been no token yet.</summary>
        None = 0,

        /// <summary>A valid token is at hand.</summary>
        Valid = 1,

        /// <summary>A valid token is at hand, but renewing it fails.</summary>
        RenewalFailing = 2,

        /// <summary>The last token has expired; the next call gets another.</summary>
        Expired = 3,

        /// <summary>The API rejected the token; the next call gets another.</summary>
        Rejected = 4,

        /// <summary>No valid token, and getting one fails.</summary>
        Unavailable = 5,
    }
}
