using System;
using System.Runtime.InteropServices;
using System.Text;
using LibApiVideo.Native;

namespace LibApiVideo
{
    /// <summary>
    /// The answer to a request that succeeded. It never changes, any thread may read it, and it may
    /// outlive its client.
    /// </summary>
    public sealed class ApiVideoResponse
    {
        private readonly ResponseHandle _handle;

        internal ApiVideoResponse(ResponseHandle handle)
        {
            _handle = handle;
            HttpStatus = NativeMethods.apivideo_response_http_status(handle);
            Body = new byte[checked((int)NativeMethods.apivideo_response_body_length(handle))];
            Marshal.Copy(NativeMethods.apivideo_response_body(handle), Body, 0, Body.Length);
        }

        /// <summary>The status of the HTTP reply, from 200 to 299.</summary>
        public int HttpStatus { get; }

        /// <summary>The body as it came, mostly JSON in UTF-8. Empty if there is none.</summary>
        public byte[] Body { get; }

        /// <summary>The body as text.</summary>
        public string Text => Encoding.UTF8.GetString(Body);

        /// <summary>
        /// The path of the next page of a list; null on the last page, and where there are no
        /// pages.
        /// </summary>
        public string? NextPage => TextOrNull(NativeMethods.apivideo_response_next_page(_handle));

        /// <summary>
        /// Gives the value of a header, such as "X-RateLimit-Remaining". Upper and lower case are
        /// the same. What came several times is joined with ", ". Null if there is no such header.
        /// </summary>
        /// <param name="name">The header's name.</param>
        public string? GetHeader(string name)
        {
            byte[] text = Utf8.Encode(name ?? throw new ArgumentNullException(nameof(name)), nameof(name));
            return TextOrNull(NativeMethods.apivideo_response_header(_handle, text));
        }

        /// <summary>Says what came, and nothing of the body.</summary>
        public override string ToString() => $"HTTP {HttpStatus}, {Body.Length} bytes";

        private string? TextOrNull(IntPtr text)
        {
            string decoded = Utf8.Decode(text);
            // The text lives as long as the response.
            GC.KeepAlive(this);
            return decoded.Length == 0 ? null : decoded;
        }
    }
}
