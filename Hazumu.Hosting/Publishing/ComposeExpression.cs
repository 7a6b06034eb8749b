namespace Hazumu.Hosting.Publishing;

/// <summary>A text with variables that Compose replaces; an argument without it is taken to the letter.</summary>
/// <param name="Text">The text as Compose reads it.</param>
internal sealed record ComposeExpression(string Text) : IValueProvider, IManifestExpressionProvider
{
    /// <inheritdoc/>
    public string ValueExpression => Text;

    /// <inheritdoc/>
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => new(Text);
}
