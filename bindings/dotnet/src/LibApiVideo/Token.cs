using System;
using System.Globalization;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>
    /// A token as it was when the client got it. A renewal does not change it, and it may outlive
    /// its client.
    /// </summary>
    public sealed class Token
    {
        internal Token(TokenHandle handle, ulong id)
        {
            Handle = handle;
            Id = id;
            AccessToken = Utf8.Decode(NativeMethods.apivideo_token_access_token(handle));
            TokenType = Utf8.Decode(NativeMethods.apivideo_token_token_type(handle));
            ExpiresAt = DateTimeOffset.FromUnixTimeMilliseconds(NativeMethods.apivideo_token_expires_at_ms(handle));
            Lifetime = TimeSpan.FromMilliseconds(NativeMethods.apivideo_token_lifetime_ms(handle));
        }

        /// <summary>
        /// Makes a token that no server gave, for tests with an <see cref="IApiVideoClient"/> of
        /// their own. <see cref="ApiVideoClient.Invalidate"/> does not take it.
        /// </summary>
        /// <param name="accessToken">The access token.</param>
        /// <param name="expiresAt">When it expires.</param>
        public Token(string accessToken, DateTimeOffset expiresAt)
        {
            AccessToken = accessToken ?? throw new ArgumentNullException(nameof(accessToken));
            TokenType = "Bearer";
            ExpiresAt = expiresAt;
            Lifetime = ExpiresIn;
        }

        /// <summary>
        /// The native token. It belongs to this object and is freed with it. Null if no server gave
        /// it.
        /// </summary>
        internal TokenHandle? Handle { get; }

        internal ulong Id { get; }

        /// <summary>The access token: visible ASCII characters.</summary>
        public string AccessToken { get; }

        /// <summary>The token's type: "Bearer".</summary>
        public string TokenType { get; }

        /// <summary>When the token expires, by the wall clock.</summary>
        public DateTimeOffset ExpiresAt { get; }

        /// <summary>The lifetime that api.video gave the token.</summary>
        public TimeSpan Lifetime { get; }

        /// <summary>
        /// How long the token stays valid from now; zero once it has expired. This is right even if
        /// the machine slept or its clock was set.
        /// </summary>
        public TimeSpan ExpiresIn => Handle != null
            ? TimeSpan.FromMilliseconds(NativeMethods.apivideo_token_expires_in_ms(Handle))
            : TimeSpan.FromTicks(Math.Max(0, (ExpiresAt - DateTimeOffset.UtcNow).Ticks));

        /// <summary>
        /// Gives the value of an <c>Authorization</c> header: "Bearer", a space and the access
        /// token.
        /// </summary>
        public string GetAuthorization() => TokenType + " " + AccessToken;

        /// <summary>
        /// Gives the refresh token; empty if api.video sent none. It works once, and the client
        /// uses it itself: a program that sends it takes it away from the client.
        /// </summary>
        public string GetRefreshToken() => Handle is null ? "" : Utf8.Decode(NativeMethods.apivideo_token_refresh_token(Handle));

        /// <summary>Says when the token expires, and nothing secret.</summary>
        public override string ToString() =>
            string.Format(CultureInfo.InvariantCulture, "Token (redacted), expires {0:yyyy-MM-dd HH:mm:ss}Z", ExpiresAt.UtcDateTime);
    }
}
