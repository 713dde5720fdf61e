using System;
using System.Text;

namespace LibApiVideo.Native
{
    /// <summary>Strings into and out of the native library.</summary>
    internal static class Utf8
    {
        private static readonly UTF8Encoding s_strict = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

        /// <summary>
        /// Encodes the text as UTF-8 with a NUL at its end. The exception names the parameter and
        /// does not repeat the text.
        /// </summary>
        internal static byte[] Encode(string text, string parameter)
        {
            if (text.IndexOf('\0') >= 0)
            {
                throw new ArgumentException("A NUL character cannot be part of it.", parameter);
            }
            try
            {
                var bytes = new byte[s_strict.GetByteCount(text) + 1];
                s_strict.GetBytes(text, 0, text.Length, bytes, 0);
                return bytes;
            }
            catch (EncoderFallbackException)
            {
                throw new ArgumentException("It is not valid Unicode: half of a surrogate pair stands alone.", parameter);
            }
        }

        /// <summary>Copies a NUL-terminated string. The native side never gives NULL.</summary>
        internal static unsafe string Decode(IntPtr text)
        {
            var start = (byte*)text;
            if (start == null)
            {
                return "";
            }
            int length = 0;
            while (start[length] != 0)
            {
                length++;
            }
            return Encoding.UTF8.GetString(start, length);
        }
    }
}
