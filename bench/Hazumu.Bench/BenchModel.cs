namespace Hazumu.Bench;

internal static class BenchModel
{
    /// <summary>The one model of the gateway benchmark. With this name and a time stamp a line of a chat has some 135 bytes.</summary>
    public const string Name = "m";
}
