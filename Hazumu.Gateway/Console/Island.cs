using Microsoft.AspNetCore.Components;

namespace Hazumu.Gateway.Console;

/// <summary>An interactive part of a page.</summary>
public abstract class Island : ComponentBase, IDisposable
{
    private readonly CancellationTokenSource _gone = new();

    /// <summary>The language of its texts.</summary>
    [Parameter]
    public string Language { get; set; } = Console.Language.English;

    [Inject]
    private protected Visitor Visitor { get; set; } = null!;

    [Inject]
    private protected NavigationManager Navigation { get; set; } = null!;

    /// <summary>Cancelled when the page is gone.</summary>
    private protected CancellationToken Gone => _gone.Token;

    private protected Texts T => Texts.Of(Language);

    /// <inheritdoc/>
    public void Dispose()
    {
        Leave();
        _gone.Cancel();
        _gone.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>The page is gone.</summary>
    private protected virtual void Leave()
    {
    }

    /// <summary>Opens the page to sign in.</summary>
    private protected void SignIn() => Navigation.NavigateTo(Gate.SignInPath[1..], forceLoad: true);
}
