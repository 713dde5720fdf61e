using System;
using System.Threading;
using System.Threading.Tasks;

namespace LibApiVideo
{
    /// <summary>
    /// What programs need of an <see cref="ApiVideoClient"/>. A test can put something of its own
    /// in its place, which gives tokens made with <see cref="Token(string, DateTimeOffset)"/>.
    /// </summary>
    public interface IApiVideoClient
    {
        /// <summary>The server that requests with these tokens go to.</summary>
        Uri BaseUrl { get; }

        /// <summary>Gives a valid token; waits for one if there is none.</summary>
        /// <param name="minValidity">
        /// How long the token must stay valid, for a request that takes that long; null for any
        /// valid token.
        /// </param>
        Token GetToken(TimeSpan? minValidity = null);

        /// <summary>Gives a valid token without blocking.</summary>
        /// <param name="minValidity">
        /// How long the token must stay valid, for a request that takes that long; null for any
        /// valid token.
        /// </param>
        /// <param name="cancellationToken">Ends the waiting.</param>
        Task<Token> GetTokenAsync(TimeSpan? minValidity = null, CancellationToken cancellationToken = default);

        /// <summary>Reports a 401: the next call gets another token.</summary>
        /// <param name="rejected">The token that the request carried.</param>
        /// <exception cref="ApiVideoTokenRejectedException">
        /// Another token would not help.
        /// </exception>
        void Invalidate(Token rejected);
    }
}
