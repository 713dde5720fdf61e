using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.RegularExpressions;

namespace LibApiVideo.Native
{
    /// <summary>
    /// The native library's messages in the words of this package: its options' names, and seconds.
    /// </summary>
    internal static class Words
    {
        private static readonly Dictionary<string, string> s_names = new Dictionary<string, string>
        {
            ["api_key"] = "apiKey",
            ["min_validity"] = "minValidity",
            ["environment"] = nameof(ApiVideoClientOptions.Environment),
            ["base_url"] = nameof(ApiVideoClientOptions.BaseUrl),
            ["app_name"] = nameof(ApiVideoClientOptions.AppName),
            ["app_version"] = nameof(ApiVideoClientOptions.AppVersion),
            ["sdk_name"] = nameof(ApiVideoClientOptions.SdkName),
            ["sdk_version"] = nameof(ApiVideoClientOptions.SdkVersion),
            ["connect_timeout"] = nameof(ApiVideoClientOptions.ConnectTimeout),
            ["attempt_timeout"] = nameof(ApiVideoClientOptions.AttemptTimeout),
            ["wait_timeout"] = nameof(ApiVideoClientOptions.WaitTimeout),
            ["max_reply_bytes"] = nameof(ApiVideoClientOptions.MaxReplyBytes),
            ["video_id"] = nameof(UploadOptions.VideoId),
            ["token"] = nameof(UploadOptions.Token),
            ["size"] = nameof(UploadOptions.Size),
            ["chunk_size"] = nameof(UploadOptions.ChunkSize),
            ["parallel"] = nameof(UploadOptions.Parallel),
            ["proxy"] = nameof(ApiVideoClientOptions.Proxy),
            ["ca_file"] = nameof(ApiVideoClientOptions.CaFile),
            ["file"] = "path",
            ["name"] = "name",
            ["store_timeout"] = nameof(ApiVideoClientOptions.StoreTimeout),
            ["level"] = nameof(ApiVideoClientOptions.LogLevel),
        };

        /// <summary>
        /// Translates a message. It is about <paramref name="origin"/> if that is a variable of the
        /// environment, or where the API key came from.
        /// </summary>
        internal static string OfPackage(string message, string? origin)
        {
            message = Regex.Replace(message, "`(app|sdk)` (name|version)", "`$1_$2`");
            if (Regex.IsMatch(message, "`[a-z_]+_ms`"))
            {
                message = Regex.Replace(message.Replace("_ms`", "`"), @"\b(\d+)( ms)?\b", match => Seconds(match.Groups[1].Value));
            }
            string Name(Match match)
            {
                if (!s_names.TryGetValue(match.Groups[1].Value, out string? name))
                {
                    return match.Value;
                }
                if (name == nameof(ApiVideoClientOptions.CaFile) && origin != null)
                {
                    return $"`{CaFileOf(origin)}`";
                }
                if (name == "name" && origin == nameof(UploadOptions.FileName))
                {
                    return $"`{origin}`";
                }
                return Variables.IsOne(origin) || (name == "apiKey" && origin != null) ? $"`{origin}`" : $"`{name}`";
            }
            return Regex.Replace(message, "`([a-z_]+)`", Name);
        }

        /// <summary>
        /// What the file of certificates is called beside that: it may be a store's.
        /// </summary>
        private static string CaFileOf(string origin) =>
            Variables.IsOne(origin) ? Variables.CaFile : char.IsLower(origin[0]) ? "caFile" : nameof(ApiVideoClientOptions.CaFile);

        private static string Seconds(string milliseconds) =>
            (decimal.Parse(milliseconds, CultureInfo.InvariantCulture) / 1000).ToString("#,0.###", CultureInfo.InvariantCulture) + " s";
    }
}
