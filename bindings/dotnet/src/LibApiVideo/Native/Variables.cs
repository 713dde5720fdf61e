using System;

namespace LibApiVideo.Native
{
    /// <summary>
    /// The environment's variables, which fill in for options that are left out. .NET keeps an
    /// environment of its own: what a program sets there the native library does not see.
    /// </summary>
    internal static class Variables
    {
        internal const string ApiKey = "APIVIDEO_API_KEY";
        internal const string BaseUrl = "APIVIDEO_BASE_URL";
        internal const string Environment = "APIVIDEO_ENVIRONMENT";
        internal const string CaFile = "APIVIDEO_CA_FILE";
        internal const string Store = "APIVIDEO_STORE";

        /// <summary>The value of a variable; null if it is empty.</summary>
        internal static string? Value(string name)
        {
            string? value = System.Environment.GetEnvironmentVariable(name);
            return string.IsNullOrEmpty(value) ? null : value;
        }

        internal static bool IsOne(string? name) => name != null && name.StartsWith("APIVIDEO_", StringComparison.Ordinal);

        /// <summary>
        /// Which environment of api.video's the variable names. Default: production.
        /// </summary>
        internal static ApiVideoEnvironment NamedEnvironment()
        {
            string? name = Value(Environment);
            bool Is(string known) => string.Equals(name, known, StringComparison.OrdinalIgnoreCase);
            return name is null || Is("production") ? ApiVideoEnvironment.Production
                : Is("sandbox") ? ApiVideoEnvironment.Sandbox
                : throw new ArgumentException($"`{Environment}` must be production or sandbox.", Environment);
        }
    }
}
