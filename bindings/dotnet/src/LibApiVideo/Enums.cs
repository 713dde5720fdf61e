namespace LibApiVideo
{
    /// <summary>The result of a call. The numbers are those of the native library.</summary>
    public enum ApiVideoStatus
    {
        /// <summary>The call succeeded.</summary>
        Ok = 0,

        /// <summary>
        /// An argument or an option is outside its range. You get an
        /// <see cref="System.ArgumentException"/> instead.
        /// </summary>
        InvalidArgument = 1,

        /// <summary>
        /// An argument is missing. You get an <see cref="System.ArgumentException"/> instead.
        /// </summary>
        NullArgument = 2,

        /// <summary>
        /// A string is not valid. You get an <see cref="System.ArgumentException"/> instead.
        /// </summary>
        InvalidUtf8 = 3,

        /// <summary>api.video refused the API key.</summary>
        KeyRejected = 4,

        /// <summary>
        /// api.video refused the refresh token. This is routine, since any authentication with the
        /// same key makes it invalid.
        /// </summary>
        RefreshRejected = 5,

        /// <summary>There is no refresh token to send. Authenticate first.</summary>
        NoRefreshToken = 6,

        /// <summary>
        /// The API rejected a token that replaced a rejected one less than a minute ago.
        /// </summary>
        TokenRejected = 7,

        /// <summary>api.video asked to slow down (429).</summary>
        RateLimited = 8,

        /// <summary>api.video answered with 5xx or 408.</summary>
        ServerError = 9,

        /// <summary>The reply is not one that api.video documents.</summary>
        ProtocolError = 10,

        /// <summary>There was no connection, or it was lost.</summary>
        NetworkError = 11,

        /// <summary>
        /// The TLS handshake failed: unknown CA, wrong host, expired certificate.
        /// </summary>
        TlsError = 12,

        /// <summary>There was no answer in time.</summary>
        Timeout = 13,

        /// <summary>The operation is not complete yet. You never see this.</summary>
        Pending = 14,

        /// <summary>
        /// The call was cancelled. You get an <see cref="System.OperationCanceledException"/>
        /// instead.
        /// </summary>
        Cancelled = 15,

        /// <summary>
        /// The client was disposed. You get an <see cref="System.ObjectDisposedException"/>
        /// instead.
        /// </summary>
        Closed = 16,

        /// <summary>The operating system refused a thread or a file descriptor.</summary>
        SystemError = 17,

        /// <summary>
        /// A bug in the native library. The library goes on working. Please report it.
        /// </summary>
        Internal = 18,

        /// <summary>
        /// A request: the API answered with 4xx, and not with 408 or 429. Do not send it again as
        /// it is. With 401, two tokens were rejected, or something other than the token was, which
        /// the problem's type names.
        /// </summary>
        RequestRejected = 19,

        /// <summary>
        /// A file to upload cannot be read, or is not the file that it was when the upload began.
        /// </summary>
        FileError = 20,
    }

    /// <summary>Which of api.video's two environments a key belongs to.</summary>
    public enum ApiVideoEnvironment
    {
        /// <summary><c>https://ws.api.video</c>.</summary>
        Production = 0,

        /// <summary><c>https://sandbox.api.video</c>.</summary>
        Sandbox = 1,
    }

    /// <summary>
    /// How much of the log a program wants: everything up to and including this level.
    /// </summary>
    public enum ApiVideoLogLevel
    {
        /// <summary>Nothing.</summary>
        Off = 0,

        /// <summary>What needs somebody's attention: the API key is refused.</summary>
        Error = 1,

        /// <summary>What the library rides out: a failed renewal, a rejected token.</summary>
        Warning = 2,

        /// <summary>The ordinary life of a token: one line an exchange.</summary>
        Info = 3,

        /// <summary>What helps to understand the library's decisions.</summary>
        Debug = 4,
    }

    /// <summary>What a client can give now.</summary>
    public enum TokenState
    {
        /// <summary>There has been no token yet.</summary>
        None = 0,

        /// <summary>The client has a valid token.</summary>
        Valid = 1,

        /// <summary>The client has a valid token, but renewing it fails.</summary>
        RenewalFailing = 2,

        /// <summary>The last token has expired. The next call gets another.</summary>
        Expired = 3,

        /// <summary>The API rejected the token. The next call gets another.</summary>
        Rejected = 4,

        /// <summary>The client has no valid token, and getting one fails.</summary>
        Unavailable = 5,
    }
}
