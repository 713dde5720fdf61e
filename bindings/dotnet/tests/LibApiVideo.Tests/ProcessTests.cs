using System;
using System.Diagnostics;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;

namespace LibApiVideo.Tests
{
    /// <summary>
    /// What shows only from outside: finding the library, and the end of a process.
    /// </summary>
    public class ProcessTests
    {
        private static readonly bool s_onWindows = RuntimeInformation.IsOSPlatform(OSPlatform.Windows);
        private static readonly string s_fileName = s_onWindows ? "apivideo.dll" : "libapivideo.so";

        [Test]
        public void ThePathVariableIsFollowed()
        {
            ChildProcess child = ChildProcess.Run("load", Library.Path);
            Assert.Contains("Bearer", child.Output);
            Assert.Equal(0, child.ExitCode);
        }

        [Test]
        public void ThePathVariableGoesBeforeALibraryBesideTheProgram()
        {
            using (var copy = new ProgramCopy())
            {
                File.Copy(Library.Path, Path.Combine(copy.Directory, s_fileName));
                ChildProcess beside = ChildProcess.Run("load", null, copy.Program);
                Assert.Contains("Bearer", beside.Output);
                ChildProcess chosen = ChildProcess.Run("load", Environment.GetEnvironmentVariable("APIVIDEO_TEST_WRONG_ABI"), copy.Program);
                Assert.Contains("ABI 2; this package needs ABI 1", chosen.Output);
            }
        }

        [Test]
        public void AMissingLibraryIsToldWithWhatToDo()
        {
            using (var copy = new ProgramCopy())
            {
                ChildProcess child = ChildProcess.Run("load", null, copy.Program);
                Assert.Contains($"DllNotFoundException: The native library {s_fileName} was not found.", child.Output);
                Assert.Contains("LIBAPIVIDEO_PATH", child.Output);
                string nowhere = Path.GetFullPath("/no/such/" + s_fileName);
                child = ChildProcess.Run("load", nowhere, copy.Program);
                Assert.Contains($"LIBAPIVIDEO_PATH names '{nowhere}', and there is no such file.", child.Output);
            }
        }

        [Test]
        public void AWrongAbiIsTold()
        {
            ChildProcess child = ChildProcess.Run("load", Environment.GetEnvironmentVariable("APIVIDEO_TEST_WRONG_ABI"));
            Assert.Contains("DllNotFoundException: The libapivideo that was loaded is version 9.9.9 with ABI 2; this package needs ABI 1.", child.Output);
        }

        [Test]
        public void ALibraryForAnotherProcessorIsTold()
        {
            using (var copy = new ProgramCopy())
            {
                byte[] library = File.ReadAllBytes(Library.Path);
                // The number of the processor: ELF's; or behind the signature that a DLL's header
                // leads to.
                library[s_onWindows ? BitConverter.ToInt32(library, 0x3c) + 4 : 18] ^= 0xff;
                string other = Path.Combine(copy.Directory, "other.so");
                File.WriteAllBytes(other, library);
                string platform = $"It must be a library for this platform ({PackageFolder(null)}).";
                Assert.Contains($"DllNotFoundException: '{other}' cannot be loaded. {platform}", ChildProcess.Run("load", other, copy.Program).Output);
                string beside = Path.Combine(copy.Directory, s_fileName);
                File.Move(other, beside);
                Assert.Contains($"DllNotFoundException: '{beside}' cannot be loaded. {platform}", ChildProcess.Run("load", null, copy.Program).Output);
            }
        }

        [Test]
        public void APackagesFolderBesideThePluginIsUsed()
        {
            using (var copy = new ProgramCopy())
            {
                string folder = Path.Combine(copy.Directory, "plugin", "runtimes", PackageFolder(null), "native");
                Directory.CreateDirectory(folder);
                File.Copy(Library.Path, Path.Combine(folder, s_fileName));
                string plugin = Path.Combine(copy.Directory, "plugin", "LibApiVideo.dll");
                File.Copy(typeof(ApiVideoClient).Assembly.Location, plugin);
                Assert.Equal("plugin Bearer", ChildProcess.Run($"plugin \"{plugin}\"", null, copy.Program).Output.Trim());
            }
        }

        [Test]
        public void APackagesFolderForMuslIsToldApart()
        {
            if (s_onWindows)
            {
                return; // There is no musl.
            }
            string maps = Path.GetTempFileName();
            try
            {
                File.WriteAllText(maps, "7f0000000000-7f0000050000 r-xp 00000000 08:01 1234 /lib/ld-musl-x86_64.so.1\n");
                Assert.Equal(PackageFolder(null).Replace("linux-", "linux-musl-"), PackageFolder(maps), "on musl");
                File.WriteAllText(maps, "7f0000000000-7f0000050000 r-xp 00000000 08:01 1234 /lib/x86_64-linux-gnu/libc.so.6\n");
                Assert.Equal(PackageFolder(null), PackageFolder(maps), "on glibc");
                Assert.Equal(PackageFolder(null), PackageFolder("/no/such/file"), "where nothing can be told");
            }
            finally
            {
                File.Delete(maps);
            }
        }

        /// <summary>
        /// The package's name for this platform, with this list of what is mapped into the process.
        /// </summary>
        private static string PackageFolder(string? maps) =>
            (string)typeof(ApiVideoClient).Assembly.GetType("LibApiVideo.Native.NativeLoader")!
                .GetMethod("Platform", BindingFlags.Static | BindingFlags.NonPublic)!.Invoke(null, new object[] { maps ?? "/proc/self/maps" })!;

        [Test]
        public void TheAssemblyCanBeUnloadedInTheMiddleOfAnExchange()
        {
            Sandbox.Settings("{\"latency_ms\":1000}");
            Assert.Equal("unloaded", ChildProcess.Run("unload", Library.Path).Output.Trim());
        }

        [Test]
        public void AFileThatIsNoLibraryIsTold()
        {
            using (var copy = new ProgramCopy())
            {
                string file = Path.Combine(copy.Directory, "text.so");
                File.WriteAllText(file, "text");
                ChildProcess child = ChildProcess.Run("load", file, copy.Program);
                Assert.Contains("DllNotFoundException: ", child.Output);
                Assert.Contains("text.so", child.Output);
            }
        }

        [Test]
        public void TheProcessEndsAtOnceWhileARenewalHangs()
        {
            Sandbox.Hang();
            var watch = new Stopwatch();
            ChildProcess child = ChildProcess.Run("exit-while-waiting", Library.Path, onFirstLine: watch.Start);
            Assert.Equal("waiting", child.Output.Trim(), "what it said");
            Assert.Equal(0, child.ExitCode);
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"it ends at once, not after a minute: {watch.Elapsed}");
        }

        [Test]
        public void TheProcessEndsAtOnceWhileAStoreHangs()
        {
            var watch = new Stopwatch();
            ChildProcess child = ChildProcess.Run("exit-while-a-store-hangs", Library.Path, onFirstLine: watch.Start);
            Assert.Equal("hanging", child.Output.Trim(), "what it said");
            Assert.Equal(0, child.ExitCode);
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(8), $"it ends at once, not when the store's time is over: {watch.Elapsed}");
        }

        [Test]
        public void TheProcessEndsWellWithClientsThatNobodyDisposed()
        {
            ChildProcess child = ChildProcess.Run("exit-with-clients", Library.Path);
            Assert.Equal("done", child.Output.Trim(), "what it said");
            Assert.Equal(0, child.ExitCode);
        }

        /// <summary>This program in a folder of its own, without a native library.</summary>
        private sealed class ProgramCopy : IDisposable
        {
            internal readonly string Directory = Path.Combine(Path.GetTempPath(), "libapivideo-" + Guid.NewGuid().ToString("N"));

            internal ProgramCopy()
            {
                System.IO.Directory.CreateDirectory(Directory);
                string here = Path.GetDirectoryName(typeof(ProgramCopy).Assembly.Location)!;
                foreach (string file in System.IO.Directory.GetFiles(here))
                {
                    File.Copy(file, Path.Combine(Directory, Path.GetFileName(file)));
                }
            }

            internal string Program => Path.Combine(Directory, Path.GetFileName(typeof(ProgramCopy).Assembly.Location));

            public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
        }
    }
}
