using System;
using System.Globalization;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>A token as it was when it was got: a renewal does not change it, and it outlives its client.</summary>
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

        /// <summary>The native token; this object's alone, and freed with it.</summary>
        internal TokenHandle Handle { get; }

        internal ulong Id { get; }

        /// <summary>The access token. It is visible ASCII.</summary>
        public string AccessToken { get; }

        /// <summary>The token's type: "Bearer".</summary>
        public string TokenType { get; }

        /// <summary>When it expires, by the wall clock.</summary>
        public DateTimeOffset ExpiresAt { get; }

        /// <summary>The life that api.video gave it.</summary>
        public TimeSpan Lifetime { get; }

        /// <summary>What is left of its life, now; zero once it has expired. Right also when the machine slept or its clock was set.</summary>
        public TimeSpan ExpiresIn => TimeSpan.FromMilliseconds(NativeMethods.apivideo_token_expires_in_ms(Handle));

        /// <summary>The value of an <c>Authorization</c> header: "Bearer", a space and the access token.</summary>
        public string GetAuthorization() => TokenType + " " + AccessToken;

        /// <summary>
        /// The refresh token; empty if api.video sent none. It works once, and the client uses it by itself: a program that sends it takes it away
        /// from its client.
        /// </summary>
        public string GetRefreshToken() => Utf8.Decode(NativeMethods.apivideo_token_refresh_token(Handle));

        /// <summary>When it expires, and nothing secret.</summary>
        public override string ToString() =>
            string.Format(CultureInfo.InvariantCulture, "Token (redacted), expires {0:yyyy-MM-dd HH:mm:ss}Z", ExpiresAt.UtcDateTime);
    }
}
