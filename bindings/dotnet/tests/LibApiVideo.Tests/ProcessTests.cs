using System;
using System.Diagnostics;
using System.IO;
using System.Runtime.InteropServices;

namespace LibApiVideo.Tests
{
    /// <summary>What shows only from outside: finding the library, and the end of a process.</summary>
    public class ProcessTests
    {
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
                File.Copy(Library.Path, Path.Combine(copy.Directory, "libapivideo.so"));
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
                Assert.Contains("DllNotFoundException: The native library libapivideo.so was not found.", child.Output);
                Assert.Contains("LIBAPIVIDEO_PATH", child.Output);
                child = ChildProcess.Run("load", "/no/such/libapivideo.so", copy.Program);
                Assert.Contains("LIBAPIVIDEO_PATH names '/no/such/libapivideo.so', and there is no such file.", child.Output);
            }
        }

        [Test]
        public void AWrongAbiIsTold()
        {
            ChildProcess child = ChildProcess.Run("load", Environment.GetEnvironmentVariable("APIVIDEO_TEST_WRONG_ABI"));
            Assert.Contains("DllNotFoundException: The libapivideo that was loaded is version 9.9.9 with ABI 2; this package needs ABI 1.", child.Output);
        }

        [Test]
        public void AWrongArchitectureIsTold()
        {
            using (var copy = new ProgramCopy())
            {
                bool isArm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
                byte[] library = File.ReadAllBytes(Library.Path);
                library[18] = (byte)(isArm ? 62 : 183);
                string other = Path.Combine(copy.Directory, "other.so");
                File.WriteAllBytes(other, library);
                string expected = $"is a library for {(isArm ? "X64, and this process is Arm64" : "Arm64, and this process is X64")}";
                ChildProcess chosen = ChildProcess.Run("load", other, copy.Program);
                Assert.Contains("BadImageFormatException: ", chosen.Output);
                Assert.Contains(expected, chosen.Output);
                File.Move(other, Path.Combine(copy.Directory, "libapivideo.so"));
                Assert.Contains(expected, ChildProcess.Run("load", null, copy.Program).Output);
            }
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
