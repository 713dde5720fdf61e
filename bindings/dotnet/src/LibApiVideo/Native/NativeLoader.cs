using System;
using System.ComponentModel;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;

namespace LibApiVideo.Native
{
    /// <summary>
    /// Sees to it that the native library is there and fits, before anything else is called, and says in words what is wrong if not.
    /// Where it is looked for is the runtime's business, unless LIBAPIVIDEO_PATH names a file.
    /// </summary>
    internal static class NativeLoader
    {
        internal const string PathVariable = "LIBAPIVIDEO_PATH";

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
                string? path = Environment.GetEnvironmentVariable(PathVariable);
                if (string.IsNullOrEmpty(path))
                {
                    CheckAbi(FindBesideAssembly());
                }
                else
                {
                    Choose(Path.GetFullPath(path));
                    CheckAbi(path);
                }
                s_ready = true;
            }
        }

        /// <param name="path">The file that is meant, as far as it is known.</param>
        private static void CheckAbi(string? path)
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
                throw Explain(path, e);
            }
            if (abi != NativeMethods.AbiVersion)
            {
                throw new DllNotFoundException(
                    $"The libapivideo that was loaded is version {version} with ABI {abi}; this package needs ABI {NativeMethods.AbiVersion}. " +
                    "Use the library and the package of one release.");
            }
        }

        // --- LIBAPIVIDEO_PATH ---

        /// <summary>Has every function taken from this file. netstandard2.0 has no way for that, each runtime has its own.</summary>
        private static void Choose(string path)
        {
            if (!File.Exists(path))
            {
                throw new DllNotFoundException($"{PathVariable} names '{path}', and there is no such file.");
            }
            try
            {
                if (Type.GetType("System.Runtime.InteropServices.NativeLibrary, System.Runtime.InteropServices") is Type modern)
                {
                    ChooseOnCore(modern, path);
                }
                else if (Type.GetType("Mono.Runtime") != null)
                {
                    mono_dllmap_insert(IntPtr.Zero, Utf8.Encode(NativeMethods.Library, "library"), null, Utf8.Encode(path, PathVariable), null);
                }
                else if (Environment.OSVersion.Platform == PlatformID.Win32NT)
                {
                    ChooseOnFramework(path);
                }
                else
                {
                    throw new PlatformNotSupportedException($"{PathVariable} needs .NET Core 3.0 or newer, .NET Framework or Mono.");
                }
            }
            catch (Exception e) when (e is DllNotFoundException || e is BadImageFormatException)
            {
                throw Explain(path, e);
            }
        }

        /// <summary>.NET Core 3.0 and newer: NativeLibrary.Load and NativeLibrary.SetDllImportResolver.</summary>
        private static void ChooseOnCore(Type nativeLibrary, string path)
        {
            try
            {
                s_chosen = (IntPtr)nativeLibrary.GetMethod("Load", new[] { typeof(string) }).Invoke(null, new object[] { path });
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

        /// <summary>.NET Framework: Windows gives a module that is loaded already to whoever asks for its name.</summary>
        private static void ChooseOnFramework(string path)
        {
            const uint searchBesideIt = 0x8;
            if (LoadLibraryExW(path, IntPtr.Zero, searchBesideIt) == IntPtr.Zero)
            {
                throw new DllNotFoundException(new Win32Exception(Marshal.GetLastWin32Error()).Message);
            }
        }

        [DllImport("kernel32", ExactSpelling = true, CharSet = CharSet.Unicode, SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
        private static extern IntPtr LoadLibraryExW(string path, IntPtr reserved, uint flags);

        /// <summary>Mono: an entry of its map of library names, as a configuration file would make it.</summary>
        [DllImport("__Internal", CallingConvention = CallingConvention.Cdecl, ExactSpelling = true)]
        private static extern void mono_dllmap_insert(IntPtr assembly, byte[] library, byte[]? function, byte[] targetLibrary, byte[]? targetFunction);

        // --- What is wrong ---

        private static string Hint =>
            $"Reference the LibApiVideo package with a library for this platform ({Platform}), put {FileName} beside the program, " +
            $"or set {PathVariable} to the file.";

        private static Exception Explain(string? path, Exception cause)
        {
            if (path == null)
            {
                return new DllNotFoundException($"The native library {FileName} was not found. {Hint}", cause);
            }
            Architecture here = RuntimeInformation.ProcessArchitecture;
            if (ReadArchitecture(path) is Architecture there && there != here)
            {
                return new BadImageFormatException(
                    $"'{path}' is a library for {there}, and this process is {here}. Use the one for {Platform}.", path, cause);
            }
            return new DllNotFoundException($"'{path}' cannot be loaded: {cause.Message}", cause);
        }

        /// <summary>The file that the runtime will find, where that is easily told.</summary>
        private static string? FindBesideAssembly()
        {
            string assembly = typeof(NativeLoader).Assembly.Location;
            foreach (string? directory in new[] { assembly.Length == 0 ? null : Path.GetDirectoryName(assembly), AppContext.BaseDirectory })
            {
                foreach (string below in new[] { "", Path.Combine("runtimes", Platform, "native") })
                {
                    string file = Path.Combine(directory ?? "", below, FileName);
                    if (File.Exists(file))
                    {
                        return file;
                    }
                }
            }
            return null;
        }

        private static string FileName =>
            RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? "apivideo.dll"
            : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "libapivideo.dylib"
            : "libapivideo.so";

        /// <summary>The runtime identifier that a package's folder is named after.</summary>
        private static string Platform =>
            (RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? "win-"
            : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "osx-"
            : "linux-") + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

        /// <summary>What an ELF, PE or Mach-O file was built for; null if that cannot be told.</summary>
        private static Architecture? ReadArchitecture(string path)
        {
            var head = new byte[4096];
            try
            {
                using (FileStream file = File.OpenRead(path))
                {
                    file.Read(head, 0, head.Length);
                }
            }
            catch (Exception e) when (e is IOException || e is UnauthorizedAccessException)
            {
                return null;
            }
            switch (BitConverter.ToUInt32(head, 0))
            {
                case 0x464c457f: // ELF
                    return Known(BitConverter.ToUInt16(head, 18), x86: 3, x64: 62, arm: 40, arm64: 183);
                case 0xfeedfacf: // Mach-O
                    return Known(BitConverter.ToInt32(head, 4), x86: 7, x64: 0x01000007, arm: 12, arm64: 0x0100000c);
                case uint start when (start & 0xffff) == 0x5a4d: // PE
                    int header = BitConverter.ToInt32(head, 0x3c);
                    return header < 0 || header > head.Length - 6 ? null
                        : Known(BitConverter.ToUInt16(head, header + 4), x86: 0x14c, x64: 0x8664, arm: 0x1c4, arm64: 0xaa64);
                default:
                    return null;
            }
        }

        private static Architecture? Known(int number, int x86, int x64, int arm, int arm64) =>
            number == x86 ? Architecture.X86
            : number == x64 ? Architecture.X64
            : number == arm ? Architecture.Arm
            : number == arm64 ? Architecture.Arm64
            : (Architecture?)null;
    }
}
