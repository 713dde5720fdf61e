using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Microsoft.Extensions.DependencyInjection;

namespace LibApiVideo.Tests
{
    /// <summary>
    /// A trimmer takes away what nothing names. What is found by reflection alone is gone then, so
    /// the packages use none. The assembly for .NET Standard must, but no program that is trimmed
    /// has it.
    /// </summary>
    public class TrimmingTests
    {
        /// <summary>What reads a type's own name or place, and needs no member of it.</summary>
        private static readonly string[] s_harmless =
        {
            "System.Type.GetTypeFromHandle", "System.Type.get_Assembly", "System.Type.get_FullName", "System.Reflection.Assembly.get_Location",
            "System.Reflection.MemberInfo.get_Name",
        };

#if NETCOREAPP && !NETCOREAPP3_1
        [Test]
        public void ThePackageUsesNoReflection() => Assert.Equal("", Reflection(typeof(ApiVideoClient)));
#else
        [Test]
        public void TheTestSeesReflection() => Assert.Contains("System.Type.GetMethod", Reflection(typeof(ApiVideoClient)));
#endif

        [Test]
        public void TheExtensionsUseNoReflection() => Assert.Equal("", Reflection(typeof(ApiVideoHttpClientBuilderExtensions)));

        private static string Reflection(Type inAssembly)
        {
            using (FileStream file = File.OpenRead(inAssembly.Assembly.Location))
            using (var image = new PEReader(file))
            {
                return string.Join(", ", Members(image.GetMetadataReader()).Where(IsReflection).Except(s_harmless));
            }
        }

        private static IEnumerable<string> Members(MetadataReader reader)
        {
            foreach (MemberReferenceHandle handle in reader.MemberReferences)
            {
                MemberReference member = reader.GetMemberReference(handle);
                if (member.Parent.Kind == HandleKind.TypeReference)
                {
                    TypeReference type = reader.GetTypeReference((TypeReferenceHandle)member.Parent);
                    yield return $"{reader.GetString(type.Namespace)}.{reader.GetString(type.Name)}.{reader.GetString(member.Name)}";
                }
            }
        }

        private static bool IsReflection(string member) =>
            (member.StartsWith("System.Reflection.", StringComparison.Ordinal) && !member.EndsWith("Attribute..ctor", StringComparison.Ordinal))
            || member.StartsWith("System.Type.", StringComparison.Ordinal) || member.StartsWith("System.Activator.", StringComparison.Ordinal)
            || member == "System.Delegate.CreateDelegate";
    }
}
