using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>
    /// Gives valid tokens for one API key, to any number of threads at once. Make one client for
    /// each key, and keep it as long as the program runs.
    /// </summary>
    public sealed class ApiVideoClient : IApiVideoClient, IDisposable
    {
        private delegate ApiVideoStatus Starter(ClientHandle client, out OperationHandle operation, out ErrorHandle error);

        private readonly ClientHandle _handle;
        private readonly CancellationTokenSource _closing = new CancellationTokenSource();
        private readonly object _adopting = new object();

        // Native code has only weak references to them.
        private readonly Callbacks _callbacks;
        private readonly OwnStore? _store;

        /// <summary>
        /// The latest token, in the form that
        /// <see cref="GetTokenAsync(TimeSpan?, CancellationToken)"/> returns. Each read asks the
        /// native library whether it is still the right one, so a stale one does no harm.
        /// </summary>
        private volatile Task<Token>? _latest;

        /// <summary>
        /// Makes a client whose key and settings are those of the environment.
        /// </summary>
        /// <exception cref="ArgumentException">
        /// A variable of the environment is not valid. <see cref="ArgumentException.ParamName"/>
        /// names it.
        /// </exception>
        /// <exception cref="ArgumentNullException">There is no APIVIDEO_API_KEY.</exception>
        /// <exception cref="DllNotFoundException">
        /// The native library is missing or does not fit. The message says what to do.
        /// </exception>
        public ApiVideoClient() : this(new ApiVideoClientOptions())
        {
        }

        /// <summary>
        /// Makes a client. It sends no request yet: the first call that asks for a token does.
        /// </summary>
        /// <param name="apiKey">
        /// The API key. It must belong to the environment that the options name. It goes before
        /// <see cref="ApiVideoClientOptions.ApiKey"/>.
        /// </param>
        /// <param name="options">
        /// The settings, which are copied; null for what the environment says, and the defaults.
        /// </param>
        /// <exception cref="ArgumentException">
        /// The key, an option or a variable of the environment is not valid.
        /// <see cref="ArgumentException.ParamName"/> names it.
        /// </exception>
        /// <exception cref="ArgumentNullException">
        /// The key is null. That does not mean the environment's: another constructor takes that.
        /// </exception>
        /// <exception cref="DllNotFoundException">
        /// The native library is missing or does not fit. The message says what to do.
        /// </exception>
        public ApiVideoClient(string apiKey, ApiVideoClientOptions? options = null)
            : this(apiKey ?? throw NoKeyGiven(), nameof(apiKey), options ?? new ApiVideoClientOptions())
        {
        }

        /// <summary>
        /// Makes a client whose key, too, is one of the options, or else the environment's.
        /// </summary>
        /// <param name="options">The settings, which are copied.</param>
        /// <exception cref="ArgumentException">
        /// The key, an option or a variable of the environment is not valid.
        /// <see cref="ArgumentException.ParamName"/> names it.
        /// </exception>
        /// <exception cref="ArgumentNullException">There is no API key.</exception>
        /// <exception cref="DllNotFoundException">
        /// The native library is missing or does not fit. The message says what to do.
        /// </exception>
        public ApiVideoClient(ApiVideoClientOptions options) : this(KeyOf(options, out string parameter), parameter, options)
        {
        }

        /// <summary>A key that is null is none at all.</summary>
        private ApiVideoClient(string? apiKey, string parameter, ApiVideoClientOptions options)
        {
            NativeLoader.EnsureLoaded();
            _callbacks = new Callbacks(options);
            _store = options.Store?.Own;
            _store?.AddUser(_callbacks);
            _handle = apiKey is null ? OpenWithoutKey(options, _callbacks) : Open(apiKey, parameter, options, _callbacks);
            try
            {
                BaseUrl = ParseUrl(ServerOf(_handle), options);
            }
            catch
            {
                _handle.Dispose();
                throw;
            }
#if NETCOREAPP
            Metrics.Add(this);
#endif
        }

        private static ArgumentNullException NoKeyGiven() => new ArgumentNullException(
            "apiKey", $"The API key is null. Pass a key, or use new ApiVideoClient() for {Variables.ApiKey} of the environment.");

        /// <summary>The key, and what names it in an exception.</summary>
        private static string KeyOf(ApiVideoClientOptions options, out string parameter)
        {
            if (options is null)
            {
                throw new ArgumentNullException(nameof(options));
            }
            parameter = options.ApiKey != null ? nameof(options.ApiKey) : Variables.ApiKey;
            return options.ApiKey ?? Variables.Value(Variables.ApiKey) ?? throw new ArgumentNullException(
                "apiKey", $"There is no API key: set ApiKey of the options, or {Variables.ApiKey} of the environment.");
        }

        /// <summary>.NET is stricter about some URLs than the native library.</summary>
        private static Uri ParseUrl(string server, ApiVideoClientOptions options) =>
            Uri.TryCreate(server, UriKind.Absolute, out Uri? url) ? url : throw new ArgumentException(
                ".NET cannot read this URL.", options.BaseUrl != null ? nameof(options.BaseUrl) : Variables.BaseUrl);

        /// <summary>
        /// Makes a client without an API key, which can upload by upload token, and nothing else.
        /// It is for programs in the hands of people who must not have the key.
        /// </summary>
        /// <param name="options">
        /// The settings, which are copied; null for what the environment says, and the defaults. A
        /// key in them is not used.
        /// </param>
        /// <exception cref="ArgumentException">
        /// An option or a variable of the environment is not valid.
        /// </exception>
        public static ApiVideoClient WithoutKey(ApiVideoClientOptions? options = null) =>
            new ApiVideoClient(null, Variables.ApiKey, options ?? new ApiVideoClientOptions());

        /// <summary>
        /// The server that the client gets its tokens from, and that requests with them go to.
        /// </summary>
        public Uri BaseUrl { get; }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static string ServerOf(ClientHandle client) => Utf8.Decode(NativeMethods.apivideo_client_base_url(client));

        /// <summary>
        /// This is a method of its own because Mono looks for a library as soon as it compiles a
        /// method that calls it.
        /// </summary>
        [MethodImpl(MethodImplOptions.NoInlining)]
        private static ClientHandle Open(string apiKey, string parameter, ApiVideoClientOptions options, Callbacks callbacks)
        {
            byte[] key = Utf8.Encode(apiKey, parameter);
            try
            {
                using (ConfigHandle config = Settings.From(options, callbacks))
                {
                    ApiVideoException.Check(
                        NativeMethods.apivideo_client_new(key, config, out ClientHandle client, out ErrorHandle error), error, parameter);
                    return client;
                }
            }
            finally
            {
                Array.Clear(key, 0, key.Length);
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static ClientHandle OpenWithoutKey(ApiVideoClientOptions options, Callbacks callbacks)
        {
            using (ConfigHandle config = Settings.From(options, callbacks))
            {
                ApiVideoException.Check(NativeMethods.apivideo_client_new_without_key(config, out ClientHandle client, out ErrorHandle error), error);
                return client;
            }
        }

        /// <summary>
        /// Gives a valid token: at once if the client has one. If not, the call waits for one
        /// exchange, which all callers share. It waits for
        /// <see cref="ApiVideoClientOptions.WaitTimeout"/> at most.
        /// </summary>
        /// <param name="minValidity">
        /// How long the token must stay valid, for a request that takes that long; null for any
        /// valid token.
        /// </param>
        /// <exception cref="ApiVideoException">
        /// The client could not get a token. The subclass and the properties say why, and whether
        /// to try again.
        /// </exception>
        /// <exception cref="ArgumentException">
        /// Even a new token would expire sooner than <paramref name="minValidity"/>.
        /// </exception>
        /// <exception cref="ObjectDisposedException">
        /// The client is disposed, or was disposed while the call waited.
        /// </exception>
        public Token GetToken(TimeSpan? minValidity = null)
        {
            return (Current(minValidity) ?? StartGetToken(minValidity, CancellationToken.None)).GetAwaiter().GetResult();
        }

        /// <summary>
        /// Does what <see cref="GetToken"/> does, without blocking. The task is complete at once if
        /// the client has a valid token. If not, no thread waits for it.
        /// </summary>
        /// <param name="minValidity">
        /// How long the token must stay valid, for a request that takes that long; null for any
        /// valid token.
        /// </param>
        /// <param name="cancellationToken">
        /// Ends the waiting. The exchange goes on for others.
        /// </param>
        /// <exception cref="ObjectDisposedException">
        /// The client is disposed. The call itself throws this; the task holds all other failures.
        /// </exception>
        public Task<Token> GetTokenAsync(TimeSpan? minValidity = null, CancellationToken cancellationToken = default)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                return Task.FromCanceled<Token>(cancellationToken);
            }
            return Current(minValidity) ?? StartGetToken(minValidity, cancellationToken);
        }

        /// <summary>
        /// Calls <see cref="GetTokenAsync(TimeSpan?, CancellationToken)"/> for any valid token.
        /// </summary>
        /// <param name="cancellationToken">
        /// Ends the waiting. The exchange goes on for others.
        /// </param>
        public Task<Token> GetTokenAsync(CancellationToken cancellationToken) => GetTokenAsync(null, cancellationToken);

        /// <summary>
        /// Gets a new token with the API key now. Programs need not call this:
        /// <see cref="GetToken"/> does what is necessary. Calls at the same time share one
        /// exchange.
        /// </summary>
        /// <exception cref="ApiVideoException">The exchange failed.</exception>
        /// <exception cref="ObjectDisposedException">
        /// The client is disposed, or was disposed while the call waited.
        /// </exception>
        public Token Authenticate() => AuthenticateAsync().GetAwaiter().GetResult();

        /// <summary>
        /// Does what <see cref="Authenticate"/> does, without blocking. No thread waits for it.
        /// </summary>
        /// <param name="cancellationToken">Ends the waiting. The exchange goes on.</param>
        /// <exception cref="ObjectDisposedException">
        /// The client is disposed. The call itself throws this; the task holds all other failures.
        /// </exception>
        public Task<Token> AuthenticateAsync(CancellationToken cancellationToken = default) =>
            StartOperation(NativeMethods.apivideo_authenticate_start, cancellationToken);

        /// <summary>
        /// Gets a new token with the refresh token now, and never uses the API key instead.
        /// Programs need not call this: <see cref="GetToken"/> does what is necessary. Calls at the
        /// same time share one exchange.
        /// </summary>
        /// <exception cref="ApiVideoRefreshRejectedException">
        /// api.video refused the refresh token, or there is none. The access token stays in use.
        /// </exception>
        /// <exception cref="ApiVideoException">The exchange failed.</exception>
        /// <exception cref="ObjectDisposedException">
        /// The client is disposed, or was disposed while the call waited.
        /// </exception>
        public Token Refresh() => RefreshAsync().GetAwaiter().GetResult();

        /// <summary>
        /// Does what <see cref="Refresh"/> does, without blocking. No thread waits for it.
        /// </summary>
        /// <param name="cancellationToken">Ends the waiting. The exchange goes on.</param>
        /// <exception cref="ObjectDisposedException">
        /// The client is disposed. The call itself throws this; the task holds all other failures.
        /// </exception>
        public Task<Token> RefreshAsync(CancellationToken cancellationToken = default) =>
            StartOperation(NativeMethods.apivideo_refresh_start, cancellationToken);

        /// <summary>
        /// Reports a 401: the API rejected a request with this token. The next call gets another
        /// token. Every request that got a 401 may report it: this does nothing if the client
        /// already has a newer token. It does not block and sends nothing.
        /// </summary>
        /// <param name="rejected">The token that the request carried.</param>
        /// <exception cref="ApiVideoTokenRejectedException">
        /// This token replaced a rejected one less than a minute ago. The client keeps it, because
        /// another one would not help.
        /// </exception>
        /// <exception cref="ObjectDisposedException">The client is disposed.</exception>
        public void Invalidate(Token rejected)
        {
            if (rejected is null)
            {
                throw new ArgumentNullException(nameof(rejected));
            }
            ThrowIfDisposed();
            TokenHandle handle = rejected.Handle ?? throw new ArgumentException("No client gave this token.", nameof(rejected));
            ApiVideoException.Check(NativeMethods.apivideo_invalidate_token(_handle, handle, out ErrorHandle error), error, nameof(rejected));
        }

        /// <summary>
        /// Makes a request to the API with a valid token, and waits for its end, but no longer than
        /// <see cref="ApiVideoClientOptions.WaitTimeout"/>.
        /// </summary>
        /// <param name="method">Such as "GET".</param>
        /// <param name="path">
        /// What follows the base URL, query and all, such as "/videos?pageSize=100";
        /// percent-encoded.
        /// </param>
        /// <param name="json">The body; null for none.</param>
        /// <remarks>
        /// Each attempt ends after <see cref="ApiVideoClientOptions.AttemptTimeout"/>. 64 requests
        /// of a client are made at once; the others wait in order for their turn.
        /// <para>
        /// A 401 of api.video's renews the token and sends once more, unless it is about another
        /// credential, such as an upload token. A 429 waits as it is told, if that is within
        /// WaitTimeout. A connection that was refused, or lost before anything was sent, is tried
        /// again, and GET, PUT, DELETE and HEAD also after a 502, 503 or 504 or a lost reply: with
        /// growing delays, four times in all, or as often as WaitTimeout allows with
        /// <see cref="ApiVideoClientOptions.WaitForRecovery"/>. Other methods are not sent again
        /// once they may have been carried out: the message then says so, and
        /// <see cref="ApiVideoException.IsRetryable"/> is false. After a status of success whose
        /// body broke off only GET and HEAD are sent again. A DELETE that is sent again may find
        /// nothing left to delete. Redirects are not followed.
        /// </para>
        /// </remarks>
        /// <exception cref="ApiVideoRequestRejectedException">
        /// The API answered with 4xx. <see cref="ApiVideoException.Problems"/> has the faults.
        /// </exception>
        /// <exception cref="ApiVideoException">
        /// There is no token, or no good answer, such as a reply that is larger than
        /// <see cref="ApiVideoClientOptions.MaxReplyBytes"/> or a 401 that is not api.video's. The
        /// subclass and the properties say why.
        /// </exception>
        /// <exception cref="ArgumentException">
        /// The method, the path or the JSON cannot be sent. The message names it.
        /// </exception>
        /// <exception cref="ObjectDisposedException">
        /// The client is disposed, or was disposed while the call waited.
        /// </exception>
        public ApiVideoResponse Request(string method, string path, string? json = null) =>
            RequestAsync(method, path, json).GetAwaiter().GetResult();

        /// <summary>
        /// Does what <see cref="Request"/> does, without blocking. No thread of the program waits
        /// for it.
        /// </summary>
        /// <param name="method">Such as "GET".</param>
        /// <param name="path">What follows the base URL, query and all; percent-encoded.</param>
        /// <param name="json">The body; null for none.</param>
        /// <param name="cancellationToken">
        /// Ends the request. Nothing more of it is sent; what the server has of it may still be
        /// carried out.
        /// </param>
        /// <exception cref="ArgumentException">
        /// The method, the path or the JSON cannot be sent. The call itself throws this and
        /// <see cref="ObjectDisposedException"/>; the task holds all other failures.
        /// </exception>
        public Task<ApiVideoResponse> RequestAsync(string method, string path, string? json = null, CancellationToken cancellationToken = default)
        {
            byte[] verb = Utf8.Encode(method ?? throw new ArgumentNullException(nameof(method)), nameof(method));
            byte[] place = Utf8.Encode(path ?? throw new ArgumentNullException(nameof(path)), nameof(path));
            byte[]? body = json is null ? null : Utf8.Encode(json, nameof(json));
            ThrowIfDisposed();
            if (cancellationToken.IsCancellationRequested)
            {
                return Task.FromCanceled<ApiVideoResponse>(cancellationToken);
            }
            ApiVideoException.Check(NativeMethods.apivideo_request_start(_handle, verb, place, body, out OperationHandle operation, out ErrorHandle error), error);
            return PendingCall<ApiVideoResponse, OperationHandle>.Start(operation, LookForResponse, _closing.Token, cancellationToken);
        }

        /// <summary>
        /// Sends a file as the source of a video. The task is complete when api.video has all of
        /// it, however long that takes, and has api.video's reply with the video. No thread of the
        /// program waits for it.
        /// </summary>
        /// <param name="path">The file.</param>
        /// <param name="options">The video, or an upload token, and how it is sent.</param>
        /// <param name="progress">
        /// Is told when a chunk has arrived, and while bytes are sent up to ten times a second,
        /// from any thread.
        /// </param>
        /// <param name="cancellationToken">Ends the upload, which can be resumed.</param>
        /// <remarks>
        /// Whatever may pass is ridden out: an outage of some minutes, errors of the server, rate
        /// limits, lost replies, access tokens that expire. Then only the chunk that it happened to
        /// is sent again. A file takes one buffer of 384 KiB, whatever its size.
        /// </remarks>
        /// <exception cref="ArgumentException">
        /// An option is not valid. The call itself throws this, an
        /// <see cref="ApiVideoFileException"/> for a file that cannot be opened, and
        /// <see cref="ObjectDisposedException"/>; the task holds all other failures.
        /// </exception>
        /// <exception cref="ApiVideoFileException">
        /// The file cannot be read, is empty, or changed while it was sent.
        /// </exception>
        /// <exception cref="ApiVideoRequestRejectedException">
        /// api.video refused the upload.
        /// </exception>
        /// <exception cref="ApiVideoException">
        /// There is no token, or a chunk has failed time after time. The subclass and the
        /// properties say why.
        /// </exception>
        public Task<ApiVideoResponse> UploadAsync(
            string path, UploadOptions options, IProgress<UploadProgress>? progress = null, CancellationToken cancellationToken = default)
        {
            _ = path ?? throw new ArgumentNullException(nameof(path));
            return Upload(path, options, null, progress, cancellationToken, out _);
        }

        /// <summary>
        /// Sends what a stream gives as the source of a video, while it is read: from its position
        /// to its end. Otherwise this does what the method of this name for a file does.
        /// </summary>
        /// <param name="source">
        /// The stream, which stays the caller's. What it throws ends the upload, and is in the
        /// task. If the upload ends first, a read that is under way is cancelled and not waited
        /// for.
        /// </param>
        /// <param name="options">The video, or an upload token, and how it is sent.</param>
        /// <param name="progress">Is told how far it is, from any thread.</param>
        /// <param name="cancellationToken">Ends the upload, which can be resumed.</param>
        /// <remarks>
        /// What was read is held until it has arrived: <see cref="UploadOptions.Parallel"/> chunks
        /// at most, 2 of 16 MiB by default. While there is no room for more, a thread of the pool
        /// waits.
        /// </remarks>
        public Task<ApiVideoResponse> UploadAsync(
            Stream source, UploadOptions options, IProgress<UploadProgress>? progress = null, CancellationToken cancellationToken = default)
        {
            _ = source ?? throw new ArgumentNullException(nameof(source));
            _ = options ?? throw new ArgumentNullException(nameof(options));
            Task<ApiVideoResponse> answer = Upload(null, options, options.Size ?? Native.Upload.SizeOf(source), progress, cancellationToken, out UploadHandle? upload);
            return upload is null ? answer : Native.Upload.Feed(upload, source, answer, cancellationToken);
        }

        private Task<ApiVideoResponse> Upload(
            string? path, UploadOptions options, long? size, IProgress<UploadProgress>? progress, CancellationToken cancellation, out UploadHandle? upload)
        {
            upload = null;
            _ = options ?? throw new ArgumentNullException(nameof(options));
            ThrowIfDisposed();
            if (cancellation.IsCancellationRequested)
            {
                return Task.FromCanceled<ApiVideoResponse>(cancellation);
            }
            upload = Native.Upload.Start(_handle, path, options, path is null ? size : options.Size, progress);
            return PendingCall<ApiVideoResponse, UploadHandle>.Start(upload, LookForUpload, _closing.Token, cancellation);
        }

        /// <summary>
        /// Gives the pages of a list, one request each, which is made when it is asked for. Ends
        /// at a page that came before.
        /// </summary>
        /// <param name="path">The first page's, such as "/videos?pageSize=100".</param>
        public IEnumerable<ApiVideoResponse> Pages(string path)
        {
            var seen = new HashSet<string>();
            for (string? next = path ?? throw new ArgumentNullException(nameof(path)); next != null && seen.Add(next);)
            {
                ApiVideoResponse page = Request("GET", next);
                yield return page;
                next = page.NextPage;
            }
        }

#if NETCOREAPP
        /// <summary>Does what <see cref="Pages"/> does, without blocking.</summary>
        /// <param name="path">The first page's, such as "/videos?pageSize=100".</param>
        /// <param name="cancellationToken">Ends the request under way.</param>
        public async IAsyncEnumerable<ApiVideoResponse> PagesAsync(string path, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            var seen = new HashSet<string>();
            for (string? next = path ?? throw new ArgumentNullException(nameof(path)); next != null && seen.Add(next);)
            {
                ApiVideoResponse page = await RequestAsync("GET", next, null, cancellationToken).ConfigureAwait(false);
                yield return page;
                next = page.NextPage;
            }
        }
#endif

        /// <summary>Takes a snapshot of the client's counters.</summary>
        /// <exception cref="ObjectDisposedException">The client is disposed.</exception>
        public ApiVideoStatistics GetStatistics()
        {
            ThrowIfDisposed();
            ApiVideoException.Check(NativeMethods.apivideo_client_get_statistics(_handle, out StatisticsHandle statistics, out ErrorHandle error), error);
            using (statistics)
            {
                return new ApiVideoStatistics(statistics);
            }
        }

        /// <summary>
        /// Ends every waiting call with <see cref="ObjectDisposedException"/>, and waits for
        /// nothing. Tokens stay usable. Any thread may call it, as often as it likes.
        /// </summary>
        /// <remarks>
        /// When this has returned and no other call of this client is running, no new call of
        /// <see cref="ApiVideoClientOptions.Log"/> or
        /// <see cref="ApiVideoClientOptions.StateChanged"/> begins. One that has begun may still be
        /// running.
        /// </remarks>
        public void Dispose()
        {
#if NETCOREAPP
            Metrics.Remove(this);
#endif
            _closing.Cancel();
            _callbacks.Close();
            // The native client is freed when the last call that uses it has returned.
            _handle.Dispose();
        }

        /// <summary>
        /// Says which server the client is for, and what it has last got from it.
        /// </summary>
        public override string ToString()
        {
            string state = _closing.IsCancellationRequested ? "disposed" : _latest?.Result.ToString() ?? "no token yet";
            return $"ApiVideoClient of {BaseUrl.AbsoluteUri.TrimEnd('/')}: {state}";
        }

        internal static ObjectDisposedException Disposed() =>
            new ObjectDisposedException(nameof(ApiVideoClient), "The ApiVideoClient is disposed. Keep one for as long as the program needs tokens.");

        /// <summary>
        /// Gives the managed token for a native one. All who got the same native token get the same
        /// object.
        /// </summary>
        internal Token Adopt(TokenHandle handle)
        {
            ulong id = NativeMethods.apivideo_token_id(handle);
            lock (_adopting)
            {
                Token? latest = _latest?.Result;
                if (latest?.Id == id)
                {
                    handle.Dispose();
                    return latest;
                }
                var token = new Token(handle, id);
                _latest = Task.FromResult(token);
                return token;
            }
        }

        private void ThrowIfDisposed()
        {
            if (_closing.IsCancellationRequested)
            {
                throw Disposed();
            }
        }

        /// <summary>
        /// The latest token, if the client would give it to this caller at once; otherwise null.
        /// </summary>
        private Task<Token>? Current(TimeSpan? minValidity)
        {
            ThrowIfDisposed();
            Task<Token>? latest = _latest;
            return latest != null && minValidity is null && latest.Result.Id == NativeMethods.apivideo_client_token_id(_handle) ? latest : null;
        }

        private Task<Token> StartGetToken(TimeSpan? minValidity, CancellationToken cancellation)
        {
            double ms = Math.Ceiling((minValidity ?? TimeSpan.Zero).TotalMilliseconds);
            if (ms < 0)
            {
                throw new ArgumentOutOfRangeException(nameof(minValidity), "It must not be negative.");
            }
            return StartOperation(
                (ClientHandle client, out OperationHandle operation, out ErrorHandle error) =>
                    NativeMethods.apivideo_get_token_start(client, (ulong)ms, out operation, out error), cancellation);
        }

        private Task<Token> StartOperation(Starter start, CancellationToken cancellation)
        {
            ThrowIfDisposed();
            if (cancellation.IsCancellationRequested)
            {
                return Task.FromCanceled<Token>(cancellation);
            }
            ApiVideoException.Check(start(_handle, out OperationHandle operation, out ErrorHandle error), error);
            return PendingCall<Token, OperationHandle>.Start(operation, LookForToken, _closing.Token, cancellation);
        }

        private ApiVideoStatus LookForToken(OperationHandle operation, out Token token, out ErrorHandle error)
        {
            ApiVideoStatus status = NativeMethods.apivideo_operation_wait(operation, 0, out TokenHandle handle, out error);
            token = status == ApiVideoStatus.Ok ? Adopt(handle) : null!;
            return status;
        }

        private ApiVideoStatus LookForUpload(UploadHandle upload, out ApiVideoResponse response, out ErrorHandle error)
        {
            ApiVideoStatus status = NativeMethods.apivideo_upload_wait(upload, 0, out ResponseHandle handle, out error);
            response = status == ApiVideoStatus.Ok ? new ApiVideoResponse(handle) : null!;
            return status;
        }

        private ApiVideoStatus LookForResponse(OperationHandle operation, out ApiVideoResponse response, out ErrorHandle error)
        {
            ApiVideoStatus status = NativeMethods.apivideo_operation_wait_response(operation, 0, out ResponseHandle handle, out error);
            response = status == ApiVideoStatus.Ok ? new ApiVideoResponse(handle) : null!;
            return status;
        }
    }
}
