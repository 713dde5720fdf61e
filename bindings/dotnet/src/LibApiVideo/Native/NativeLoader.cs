using System;
using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;

namespace LibApiVideo.Native
{
    /// <summary>
    /// Makes sure that the native library is there and fits, before anything else is called. If
    /// not, it says in words what is wrong.
    /// </summary>
    internal static class NativeLoader
    {
        internal const string PathVariable = "LIBAPIVIDEO_PATH";

        /// <summary>Linux: what is mapped into this process.</summary>
        private const string MapsFile = "/proc/self/maps";

        private static readonly object s_gate = new object();
        private static volatile bool s_ready;
        private static IntPtr s_chosen;
        private static bool s_resolverIsSet;

        internal static void EnsureLoaded()
        {
            if (s_ready)
            {
                return;
            }
            lock (s_gate)
            {
                if (s_ready)
                {
                    return;
                }
                string? file = Named() ?? FindBesideAssembly();
                if (file != null)
                {
                    Choose(file);
                }
                CheckAbi(file);
                s_ready = true;
            }
        }

        /// <param name="file">
        /// The file that was chosen; null if that was left to the runtime.
        /// </param>
        private static void CheckAbi(string? file)
        {
            uint abi;
            string version;
            try
            {
                abi = NativeMethods.apivideo_abi_version();
                version = Utf8.Decode(NativeMethods.apivideo_version());
            }
            catch (EntryPointNotFoundException e)
            {
                throw new DllNotFoundException($"The library that was loaded as {FileName} is not libapivideo. {Hint}", e);
            }
            catch (Exception e) when (e is DllNotFoundException || e is BadImageFormatException)
            {
                throw Explain(file, e);
            }
            if (abi != NativeMethods.AbiVersion)
            {
                throw new DllNotFoundException(
                    $"The libapivideo that was loaded is version {version} with ABI {abi}; this package needs ABI {NativeMethods.AbiVersion}. " +
                    "Use the library and the package of one release.");
            }
        }

        // --- Which file ---

        /// <summary>The file that LIBAPIVIDEO_PATH names; null if it is not set.</summary>
        private static string? Named()
        {
            string? path = Environment.GetEnvironmentVariable(PathVariable);
            if (string.IsNullOrEmpty(path))
            {
                return null;
            }
            string file = Path.GetFullPath(path);
            return File.Exists(file) ? file : throw new DllNotFoundException($"{PathVariable} names '{path}', and there is no such file.");
        }

        /// <summary>
        /// The file beside this assembly or the program, or in a package's folder there. A program
        /// that loads this assembly as a plugin knows nothing of either. If there is none, the
        /// runtime looks in its own places.
        /// </summary>
        private static string? FindBesideAssembly()
        {
            string package = Path.Combine("runtimes", Platform(MapsFile), "native");
            return new[] { AssemblyDirectory, AppContext.BaseDirectory }
                .SelectMany(directory => new[] { Path.Combine(directory, FileName), Path.Combine(directory, package, FileName) })
                .FirstOrDefault(File.Exists);
        }

        private static string AssemblyDirectory
        {
#if NETCOREAPP
            [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "The location is empty in a single file: then the program's folder is used.")]
#endif
            get
            {
                string assembly = typeof(NativeLoader).Assembly.Location;
                return assembly.Length == 0 ? AppContext.BaseDirectory : Path.GetDirectoryName(assembly)!;
            }
        }

        private static string FileName =>
            RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? "apivideo.dll"
            : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "libapivideo.dylib"
            : "libapivideo.so";

        /// <summary>The runtime identifier that a package's folder is named after.</summary>
        /// <param name="maps">As <see cref="MapsFile"/>.</param>
        private static string Platform(string maps) =>
            (RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? "win-"
            : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "osx-"
            : UsesMusl(maps) ? "linux-musl-"
            : "linux-") + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

        /// <summary>
        /// Tells whether this process runs on musl, as on Alpine Linux. A library for glibc does
        /// not load there. That musl is installed says nothing: a glibc system may have it too.
        /// </summary>
        private static bool UsesMusl(string maps)
        {
            try
            {
                return File.ReadLines(maps).Any(line => line.IndexOf("/ld-musl-", StringComparison.Ordinal) >= 0);
            }
            catch (Exception e) when (e is IOException || e is UnauthorizedAccessException)
            {
                return false;
            }
        }

        // --- Taking that file ---

        /// <summary>Takes every function from this file.</summary>
        private static void Choose(string file)
        {
            try
            {
                Load(file);
            }
            catch (Exception e) when (e is DllNotFoundException || e is BadImageFormatException)
            {
                throw Explain(file, e);
            }
        }

#if NETCOREAPP
        private static void Load(string file)
        {
            s_chosen = NativeLibrary.Load(file);
            if (!s_resolverIsSet)
            {
                NativeLibrary.SetDllImportResolver(
                    typeof(NativeLoader).Assembly, (name, _, __) => name == NativeMethods.Library ? s_chosen : IntPtr.Zero);
                s_resolverIsSet = true;
            }
        }
#else
        /// <summary>netstandard2.0 has no way to choose a file. Each runtime has its own.</summary>
        private static void Load(string file)
        {
            if (Type.GetType("System.Runtime.InteropServices.NativeLibrary, System.Runtime.InteropServices") is Type modern)
            {
                LoadOnCore(modern, file);
            }
            else if (Type.GetType("Mono.Runtime") != null)
            {
                mono_dllmap_insert(IntPtr.Zero, Utf8.Encode(NativeMethods.Library, "library"), null, Utf8.Encode(file, "path"), null);
            }
            else if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
            {
                LoadOnFramework(file);
            }
            else if (Named() != null)
            {
                throw new PlatformNotSupportedException($"{PathVariable} needs .NET Core 3.0 or newer, .NET Framework or Mono.");
            }
        }

        /// <summary>
        /// .NET Core 3.0 and newer: NativeLibrary.Load and NativeLibrary.SetDllImportResolver. A
        /// program that is trimmed has the assembly for .NET 8, which calls them without
        /// reflection.
        /// </summary>
        private static void LoadOnCore(Type nativeLibrary, string file)
        {
            try
            {
                s_chosen = (IntPtr)nativeLibrary.GetMethod("Load", new[] { typeof(string) }).Invoke(null, new object[] { file });
                if (s_resolverIsSet)
                {
                    return;
                }
                MethodInfo set = nativeLibrary.GetMethod("SetDllImportResolver");
                Type resolver = set.GetParameters()[1].ParameterType;
                Func<string, Assembly, DllImportSearchPath?, IntPtr> resolve = (name, _, __) => name == NativeMethods.Library ? s_chosen : IntPtr.Zero;
                set.Invoke(null, new object[] { typeof(NativeLoader).Assembly, Delegate.CreateDelegate(resolver, resolve.Target, resolve.Method) });
                s_resolverIsSet = true;
            }
            catch (TargetInvocationException e) when (e.InnerException != null)
            {
                throw e.InnerException;
            }
        }

        /// <summary>
        /// .NET Framework: Windows gives a module that is loaded already to whoever asks for its
        /// name.
        /// </summary>
        private static void LoadOnFramework(string file)
        {
            const uint searchBesideIt = 0x8;
            if (LoadLibraryExW(file, IntPtr.Zero, searchBesideIt) == IntPtr.Zero)
            {
                throw new DllNotFoundException(new Win32Exception(Marshal.GetLastWin32Error()).Message);
            }
        }

        [DllImport("kernel32", ExactSpelling = true, CharSet = CharSet.Unicode, SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
        private static extern IntPtr LoadLibraryExW(string path, IntPtr reserved, uint flags);

        /// <summary>
        /// Mono: an entry of its map of library names, as a configuration file would make it.
        /// </summary>
        [DllImport("__Internal", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        private static extern void mono_dllmap_insert(IntPtr assembly, byte[] library, byte[]? function, byte[] targetLibrary, byte[]? targetFunction);
#endif

        // --- What is wrong ---

        private static string Hint =>
            $"Reference the LibApiVideo package with a library for this platform ({Platform(MapsFile)}), put {FileName} beside the program, " +
            $"or set {PathVariable} to the file.";

        private static DllNotFoundException Explain(string? file, Exception cause) => new DllNotFoundException(
            file is null ? $"The native library {FileName} was not found. {Hint}"
            : $"'{file}' cannot be loaded. It must be a library for this platform ({Platform(MapsFile)}). {cause.Message}", cause);
    }
}
