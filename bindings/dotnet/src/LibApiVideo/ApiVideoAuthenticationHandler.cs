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
    /// Sends each request with a valid token. When the API answers 401 it drops the token and sends the request once more with a new one, if the
    /// content can be sent twice. Give it only to an <see cref="HttpClient"/> that talks to api.video: every request gets the token.
    /// </summary>
    public class ApiVideoAuthenticationHandler : DelegatingHandler
    {
        private readonly ApiVideoClient _client;

        /// <summary>A handler whose inner one is set by whoever builds the chain, such as IHttpClientFactory.</summary>
        /// <param name="client">Where tokens come from. Stays the caller's: disposing the handler does not dispose it.</param>
        public ApiVideoAuthenticationHandler(ApiVideoClient client)
        {
            _client = client ?? throw new ArgumentNullException(nameof(client));
        }

        /// <summary>A handler over another.</summary>
        /// <param name="client">Where tokens come from. Stays the caller's: disposing the handler does not dispose it.</param>
        /// <param name="innerHandler">What sends the request.</param>
        public ApiVideoAuthenticationHandler(ApiVideoClient client, HttpMessageHandler innerHandler) : base(innerHandler)
        {
            _client = client ?? throw new ArgumentNullException(nameof(client));
        }

        /// <inheritdoc/>
        /// <exception cref="ApiVideoException">There is no token to be had.</exception>
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request is null)
            {
                throw new ArgumentNullException(nameof(request));
            }
            Token token = await _client.GetTokenAsync(cancellationToken).ConfigureAwait(false);
            HttpResponseMessage response = await SendAsync(request, token, cancellationToken).ConfigureAwait(false);
            // If another token would not help, the reply is the caller's.
            if (response.StatusCode != HttpStatusCode.Unauthorized || !Invalidated(token) || !(request.Content is null || CanReplay(request.Content)))
            {
                return response;
            }
            response.Dispose();
            token = await _client.GetTokenAsync(cancellationToken).ConfigureAwait(false);
            response = await SendAsync(request, token, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.Unauthorized)
            {
                Invalidated(token);
            }
            return response;
        }

        /// <summary>
        /// Whether content that was sent can be sent again: what is held in memory, streams that can seek, and multipart of those. Override it for
        /// content of your own.
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
                    // Types that netstandard2.0 does not have.
                    string? type = content?.GetType().FullName;
                    return type == "System.Net.Http.Json.JsonContent" || type == "System.Net.Http.ReadOnlyMemoryContent";
            }
        }

        private Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, Token token, CancellationToken cancellationToken)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue(token.TokenType, token.AccessToken);
            return base.SendAsync(request, cancellationToken);
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
