using System;
using System.Runtime.CompilerServices;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>The calls of api.video's webhooks.</summary>
    public static class ApiVideoWebhook
    {
        /// <summary>
        /// Tells whether a call comes from api.video. Takes the same time wherever the first
        /// difference is. False if the secret is empty, and whatever a stranger sends as a
        /// signature. A signature says nothing about when a call was made: one that was recorded is
        /// good for ever.
        /// </summary>
        /// <param name="secret">
        /// The webhook's <c>signatureSecret</c>, as the API gave it.
        /// </param>
        /// <param name="body">
        /// The call's body as it came: not parsed and written anew.
        /// </param>
        /// <param name="signature">
        /// The value of the call's header <c>X-Api-Video-Signature</c>; null if it has none.
        /// </param>
        public static bool Verify(string secret, byte[] body, string? signature)
        {
            byte[] key = Utf8.Encode(secret ?? throw new ArgumentNullException(nameof(secret)), nameof(secret));
            _ = body ?? throw new ArgumentNullException(nameof(body));
            if (signature == null || !IsAscii(signature))
            {
                return false;
            }
            NativeLoader.EnsureLoaded();
            return Verify(key, body, Utf8.Encode(signature, nameof(signature)));
        }

        private static bool IsAscii(string signature)
        {
            foreach (char c in signature)
            {
                if (c == 0 || c > 127)
                {
                    return false;
                }
            }
            return true;
        }

        /// <summary>A method of its own, for Mono: see ApiVideoClient.Open.</summary>
        [MethodImpl(MethodImplOptions.NoInlining)]
        private static bool Verify(byte[] secret, byte[] body, byte[] signature) =>
            NativeMethods.apivideo_webhook_verify(secret, body, (UIntPtr)(uint)body.Length, signature);
    }
}
