using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace LibApiVideo.Tests
{
    /// <summary>
    /// Every P/Invoke declaration, callback and enum number against the C header.
    /// </summary>
    public class DeclarationsTests
    {
        /// <summary>
        /// What the package has no use for. A new function of the header is to be used or to be
        /// listed here.
        /// </summary>
        private static readonly string[] s_unused =
        {
            // A waiting call must be one that Dispose can end: their forms with _start.
            "apivideo_get_token", "apivideo_get_token_valid_for", "apivideo_authenticate", "apivideo_refresh", "apivideo_request",
            "apivideo_upload_file",
            "apivideo_upload_progress", "apivideo_upload_video_id", // IProgress and the answer tell it.
            "apivideo_token_authorization", "apivideo_token_clone", // .NET's own strings and references.
            "apivideo_status_string", "apivideo_error_status", "apivideo_version_number",
        };

        private static readonly Assembly s_package = typeof(ApiVideoClient).Assembly;
        private static readonly Type s_native = s_package.GetType("LibApiVideo.Native.NativeMethods")!;
        private static readonly string s_header = Regex.Replace(Library.Source("include/apivideo.h"), @"/\*.*?\*/", "", RegexOptions.Singleline);

        [Test]
        public void EveryFunctionIsDeclaredAsTheHeaderHasIt()
        {
            Dictionary<string, MethodInfo> declared = s_native.GetMethods(BindingFlags.Static | BindingFlags.NonPublic)
                .Where(m => m.GetCustomAttribute<DllImportAttribute>() != null).ToDictionary(m => m.Name);
            var inHeader = new HashSet<string>();
            foreach (Match match in Regex.Matches(s_header, @"^([a-z][\w ]*?[ \*]+)(apivideo_\w+)\(([^;{]*)\);", RegexOptions.Multiline))
            {
                string name = match.Groups[2].Value;
                inHeader.Add(name);
                if (!declared.TryGetValue(name, out MethodInfo? method))
                {
                    Assert.True(s_unused.Contains(name), $"{name} of the header is declared");
                    continue;
                }
                string[] parameters = match.Groups[3].Value == "void" ? new string[0]
                    : match.Groups[3].Value.Split(',').Select(p => Regex.Match(p, @"^(.*?)\w+$", RegexOptions.Singleline).Groups[1].Value).ToArray();
                Assert.Equal(Expected(match.Groups[1].Value, name, isResult: true), Actual(method!.ReturnParameter), $"the result of {name}");
                Assert.Equal(string.Join(", ", parameters.Select(p => Expected(p, name, isResult: false))),
                    string.Join(", ", method.GetParameters().Select(Actual)), $"what {name} takes");
                var import = method.GetCustomAttribute<DllImportAttribute>()!;
                Assert.Equal("apivideo", import.Value, $"the library of {name}");
                Assert.Equal(CallingConvention.Cdecl, import.CallingConvention, $"the calling convention of {name}");
                Assert.True(import.ExactSpelling && !import.SetLastError, $"{name} is looked for by its exact name");
            }
            Assert.True(inHeader.Count > 50, $"the header's functions were found; they were {inHeader.Count}");
            Assert.Equal("", string.Join(", ", declared.Keys.Concat(s_unused).Except(inHeader)), "what is not in the header");
            Assert.Equal("", string.Join(", ", declared.Keys.Intersect(s_unused)), "what is used after all");
        }

        [Test]
        public void EveryCallbackIsDeclaredAsTheHeaderHasIt()
        {
            MatchCollection callbacks = Regex.Matches(s_header, @"typedef (\w+) \(\*(apivideo_\w+)\)\(([^)]*)\);");
            Assert.Equal(7, callbacks.Count, "the number of callbacks");
            foreach (Match match in callbacks)
            {
                Type callback = s_native.GetNestedType(match.Groups[2].Value, BindingFlags.NonPublic)!;
                MethodInfo invoke = callback.GetMethod("Invoke")!;
                IEnumerable<string> expected = match.Groups[3].Value.Split(',').Select(ExpectedOfCallback);
                Assert.Equal(string.Join(", ", expected), string.Join(", ", invoke.GetParameters().Select(p => p.ParameterType.Name)), callback.Name);
                Assert.Equal(Expected(match.Groups[1].Value, callback.Name, isResult: true), invoke.ReturnType.Name, callback.Name);
                Assert.Equal(CallingConvention.Cdecl, callback.GetCustomAttribute<UnmanagedFunctionPointerAttribute>()!.CallingConvention, callback.Name);
            }
        }

        /// <summary>The managed type for a parameter of a callback, which owns nothing.</summary>
        private static string ExpectedOfCallback(string parameter) =>
            parameter.Contains("*") ? "IntPtr" : Expected(Regex.Match(parameter, @"^(.*?)\w+$", RegexOptions.Singleline).Groups[1].Value, parameter, isResult: false);

        [Test]
        public void EveryEnumNumberIsTheHeaders()
        {
            Same("status", typeof(ApiVideoStatus));
            Same("environment", typeof(ApiVideoEnvironment));
            Same("log_level", typeof(ApiVideoLogLevel));
            Same("token_state", typeof(TokenState));
            Same("statistic", s_package.GetType("LibApiVideo.Statistic")!);
            Same("store_result", s_package.GetType("LibApiVideo.Native.StoreResult")!);
            Assert.Equal(6, Regex.Matches(s_header, @"^enum apivideo_", RegexOptions.Multiline).Count, "the number of enums");
        }

        [Test]
        public void TheAbiVersionIsTheHeaders()
        {
            string inHeader = Regex.Match(s_header, @"#define APIVIDEO_ABI_VERSION (\d+)").Groups[1].Value;
            object? declared = s_native.GetField("AbiVersion", BindingFlags.Static | BindingFlags.NonPublic)!.GetRawConstantValue();
            Assert.Equal(inHeader, declared!.ToString(), "AbiVersion");
        }

        [Test]
        public void TheLibraryIsNotLookedForInTheWorkingDirectory()
        {
            var paths = s_package.GetCustomAttribute<DefaultDllImportSearchPathsAttribute>();
            Assert.Equal(DllImportSearchPath.AssemblyDirectory | DllImportSearchPath.SafeDirectories, paths?.Paths ?? 0, "DefaultDllImportSearchPaths");
        }

        private static void Same(string name, Type type)
        {
            string body = Regex.Match(s_header, $@"^enum apivideo_{name}$.*?{{(.*?)}};", RegexOptions.Multiline | RegexOptions.Singleline).Groups[1].Value;
            Dictionary<string, int> inHeader = Regex.Matches(body, @"APIVIDEO_(\w+) = (\d+)").Cast<Match>().ToDictionary(
                m => m.Groups[1].Value.Substring(name.Length + 1).Replace("_", "").ToLowerInvariant(), m => int.Parse(m.Groups[2].Value));
            Dictionary<string, int> inPackage = Enum.GetNames(type).ToDictionary(n => n.ToLowerInvariant(), n => (int)Enum.Parse(type, n));
            Assert.True(inHeader.Count > 1, $"the header has apivideo_{name}");
            Assert.Equal(string.Join(" ", inHeader.OrderBy(p => p.Value)), string.Join(" ", inPackage.OrderBy(p => p.Value)), type.Name);
        }

        /// <summary>The managed type for a C type, as text.</summary>
        private static string Expected(string c, string function, bool isResult)
        {
            string type = Regex.Replace(c, @"\s+|\bconst\b", "");
            if (type == "void*" && c.Contains("const"))
            {
                return "Byte[]";
            }
            bool frees = function.EndsWith("_free", StringComparison.Ordinal);
            switch (type)
            {
                case "void": return "Void";
                case "bool": return "Boolean as I1";
                case "uint32_t": return "UInt32";
                case "int32_t": return "Int32";
                case "uint64_t": return "UInt64";
                case "int64_t": return "Int64";
                case "size_t": return "UIntPtr";
                case "apivideo_record*": return "IntPtr"; // Nobody but the library frees it.
                case "uint64_t*": return "out UInt64";
                case "apivideo_status": return "ApiVideoStatus";
                case "void*": return "IntPtr";
                case "char*": return isResult ? "IntPtr" : "Byte[]";
            }
            if (type.EndsWith("_callback", StringComparison.Ordinal))
            {
                return type;
            }
            Match handle = Regex.Match(type, @"^apivideo_([a-z]+)(\*\*?)$");
            Assert.True(handle.Success, $"the test knows the C type {type} of {function}");
            string name = char.ToUpperInvariant(handle.Groups[1].Value[0]) + handle.Groups[1].Value.Substring(1) + "Handle";
            return handle.Groups[2].Value == "**" ? "out " + name : frees ? "IntPtr" : name;
        }

        private static string Actual(ParameterInfo parameter)
        {
            Type type = parameter.ParameterType;
            var marshalled = parameter.GetCustomAttribute<MarshalAsAttribute>();
            return (parameter.IsOut ? "out " : "") + (type.IsByRef ? type.GetElementType()! : type).Name + (marshalled == null ? "" : " as " + marshalled.Value);
        }
    }
}
