namespace Hazumu.Gateway.Keys;

/// <summary>Models that Ollama does not run itself: it sends their prompts to ollama.com.</summary>
internal static class CloudModels
{
    /// <summary>Whether a name says that its model runs in the cloud: the tag is <c>cloud</c> or ends in <c>-cloud</c>.</summary>
    /// <remarks>
    /// Like Ollama's <c>internal/modelref/modelref.go</c> (0.32.15), and also if a second suffix follows, which Ollama
    /// rejects. A copy of a cloud model under another name is not detected here: such an entry of <c>/api/tags</c> has
    /// a <c>remote_host</c>.
    /// </remarks>
    public static bool IsCloud(ReadOnlySpan<char> name)
    {
        name = name.Trim();
        while (ModelName.CutSource(ref name) is var source and not ModelSource.Unspecified)
        {
            if (source is ModelSource.Cloud or ModelSource.CloudTag)
            {
                return true;
            }
        }

        return false;
    }
}
