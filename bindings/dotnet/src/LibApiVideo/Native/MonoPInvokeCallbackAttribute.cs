using System;

namespace LibApiVideo.Native
{
    /// <summary>
    /// Marks the methods that native code calls. Runtimes that compile ahead of time know the
    /// attribute by its name.
    /// </summary>
    [AttributeUsage(AttributeTargets.Method)]
    internal sealed class MonoPInvokeCallbackAttribute : Attribute
    {
        public MonoPInvokeCallbackAttribute(Type type)
        {
        }
    }
}
