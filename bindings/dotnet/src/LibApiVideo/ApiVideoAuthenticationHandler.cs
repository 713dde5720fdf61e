using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo
{
    /// <summary>
    /// Sends each request to api.video with a valid token. When the API answers 401, it drops the
    /// token and sends the request once more with a new one, if the content can be sent twice.
    /// Requests to other servers pass unchanged: no token is ever sent to them, wherever a redirect
    /// leads.
    /// </summary>
    /// <remarks>
    /// .NET takes the token off a request that it redirects, even within api.video, and does not
    /// tell who chose the new URL. So the handler adds no token to it. A 401 to such a request is
    /// the caller's, and says nothing about the token. To follow a redirect with a token, set
    /// <see cref="HttpClientHandler.AllowAutoRedirect"/> to false, check the reply's Location and
    /// send a new request there.
    /// </remarks>
    public class ApiVideoAuthenticationHandler : DelegatingHandler
    {
        private readonly IApiVideoClient _client;
        private Uri _apiOrigin;

        /// <summary>
        /// Makes a handler without an inner one. Whoever builds the chain sets that, for example
        /// IHttpClientFactory.
        /// </summary>
        /// <param name="client">
        /// Gives the tokens. It stays yours: disposing the handler does not dispose it.
        /// </param>
        public ApiVideoAuthenticationHandler(IApiVideoClient client)
        {
            _client = client ?? throw new ArgumentNullException(nameof(client));
            _apiOrigin = client.BaseUrl;
        }

        /// <summary>Makes a handler over another.</summary>
        /// <param name="client">
        /// Gives the tokens. It stays yours: disposing the handler does not dispose it.
        /// </param>
        /// <param name="innerHandler">Sends the requests.</param>
        public ApiVideoAuthenticationHandler(IApiVideoClient client, HttpMessageHandler innerHandler) : base(innerHandler)
        {
            _client = client ?? throw new ArgumentNullException(nameof(client));
            _apiOrigin = client.BaseUrl;
        }

        /// <summary>
        /// The origin that gets the token: the scheme, host and port of this URL. The rest of the
        /// URL has no effect. Default: the client's base URL. Set it if your requests go to a proxy
        /// that passes them on to api.video.
        /// </summary>
        /// <exception cref="ArgumentException">
        /// The URL is neither https://… nor http://… with a loopback address.
        /// </exception>
        public Uri ApiOrigin
        {
            get => _apiOrigin;
            set
            {
                if (value is null)
                {
                    throw new ArgumentNullException(nameof(value));
                }
                bool isSafe = value.IsAbsoluteUri && (value.Scheme == "https" || (value.Scheme == "http" && value.IsLoopback));
                _apiOrigin = isSafe ? value : throw new ArgumentException("It must be https://host[:port], or http:// with a loopback address.", nameof(value));
            }
        }

        /// <inheritdoc/>
        /// <exception cref="ApiVideoException">The client has no token to give.</exception>
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            SendAsync(request, blocking: false, cancellationToken);

#if NETCOREAPP
        /// <inheritdoc/>
        /// <exception cref="ApiVideoException">The client has no token to give.</exception>
        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) =>
            SendAsync(request, blocking: true, cancellationToken).GetAwaiter().GetResult();
#endif

        /// <summary>
        /// Tells whether content that was sent can be sent again. The default says yes to what is
        /// held in memory, to streams that can seek, and to multipart content of those. Override it
        /// for content of your own.
        /// </summary>
        /// <param name="content">The content of a request that was answered with 401.</param>
        protected virtual bool CanReplay(HttpContent content)
        {
            switch (content)
            {
                case ByteArrayContent _:
                    return true;
                case MultipartContent parts:
                    return parts.All(CanReplay);
                case StreamContent _:
                    Task<Stream> stream = content.ReadAsStreamAsync();
                    return stream.Status == TaskStatus.RanToCompletion && stream.Result.CanSeek;
                default:
                    // netstandard2.0 does not have these types.
                    string? type = content?.GetType().FullName;
                    return type == "System.Net.Http.Json.JsonContent" || type == "System.Net.Http.ReadOnlyMemoryContent";
            }
        }

        /// <summary>
        /// With <paramref name="blocking"/> the task is complete when this returns.
        /// </summary>
        private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, bool blocking, CancellationToken cancellation)
        {
            if (request is null)
            {
                throw new ArgumentNullException(nameof(request));
            }
            if (!IsForApi(request))
            {
                return await ForwardAsync(request, blocking, cancellation).ConfigureAwait(false);
            }
            Token token = await GetTokenAsync(blocking, cancellation).ConfigureAwait(false);
            (HttpResponseMessage response, bool isRejected) = await SendAsync(request, token, blocking, cancellation).ConfigureAwait(false);
            if (isRejected && Invalidated(token) && CanReplay(request))
            {
                response.Dispose();
                token = await GetTokenAsync(blocking, cancellation).ConfigureAwait(false);
                (response, isRejected) = await SendAsync(request, token, blocking, cancellation).ConfigureAwait(false);
                if (isRejected)
                {
                    Invalidated(token);
                }
            }
            return response;
        }

        private async Task<(HttpResponseMessage Response, bool IsRejected)> SendAsync(
            HttpRequestMessage request, Token token, bool blocking, CancellationToken cancellation)
        {
            AuthenticationHeaderValue? callers = request.Headers.Authorization;
            var ours = new AuthenticationHeaderValue(token.TokenType, token.AccessToken);
            request.Headers.Authorization = ours;
            try
            {
                HttpResponseMessage response = await ForwardAsync(request, blocking, cancellation).ConfigureAwait(false);
                return (response, IsRejection(response, request, ours));
            }
            finally
            {
                // A log or another handler may look at the request later: no token stays in it.
                if (ours.Equals(request.Headers.Authorization))
                {
                    request.Headers.Authorization = callers;
                }
            }
        }

        /// <summary>
        /// Tells whether the API answered 401 to the token. A redirect takes the header off, and
        /// shows only the last URL. Even if that is the API's, another server may have chosen it:
        /// then the token must not go there.
        /// </summary>
        private bool IsRejection(HttpResponseMessage response, HttpRequestMessage request, AuthenticationHeaderValue ours)
        {
            // After a redirect this is the last request of the chain.
            HttpRequestMessage answered = response.RequestMessage ?? request;
            return response.StatusCode == HttpStatusCode.Unauthorized && IsForApi(answered) && ours.Equals(answered.Headers.Authorization);
        }

        private bool IsForApi(HttpRequestMessage request)
        {
            Uri? url = request.RequestUri;
            return url != null && url.IsAbsoluteUri && url.Scheme == _apiOrigin.Scheme && Host(url) == Host(_apiOrigin) && url.Port == _apiOrigin.Port;
        }

        /// <summary>In small letters, without the final dot that a name may have.</summary>
        private static string Host(Uri url) => url.IdnHost.TrimEnd('.');

        private bool CanReplay(HttpRequestMessage request) => request.Content is null || CanReplay(request.Content);

        private async Task<Token> GetTokenAsync(bool blocking, CancellationToken cancellation)
        {
            Task<Token> token = _client.GetTokenAsync(null, cancellation);
            return blocking ? token.GetAwaiter().GetResult() : await token.ConfigureAwait(false);
        }

        private Task<HttpResponseMessage> ForwardAsync(HttpRequestMessage request, bool blocking, CancellationToken cancellation)
        {
#if NETCOREAPP
            if (blocking)
            {
                return Task.FromResult(base.Send(request, cancellation));
            }
#endif
            return base.SendAsync(request, cancellation);
        }

        /// <summary>False if another token would not help.</summary>
        private bool Invalidated(Token rejected)
        {
            try
            {
                _client.Invalidate(rejected);
                return true;
            }
            catch (ApiVideoTokenRejectedException)
            {
                return false;
            }
        }
    }
}
