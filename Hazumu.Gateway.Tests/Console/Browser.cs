using Microsoft.Playwright;

namespace Hazumu.Gateway.Tests.Console;

/// <summary>Debian's Chromium, which the tests of one class share.</summary>
public sealed class Browser : IAsyncLifetime
{
    private const string Program = "/usr/bin/chromium";

    private IPlaywright? _playwright;
    private IBrowser? _chromium;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (File.Exists(Program))
        {
            _playwright = await Playwright.CreateAsync();
            _chromium = await _playwright.Chromium.LaunchAsync(new() { ExecutablePath = Program, Args = ["--no-sandbox", "--no-proxy-server"], Timeout = 120_000 });
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_chromium is not null)
        {
            await _chromium.DisposeAsync();
        }

        _playwright?.Dispose();
    }

    /// <summary>Opens a page of the console in a window of its own.</summary>
    /// <param name="gateway">The gateway's address.</param>
    /// <param name="path">The page below <c>/console</c>.</param>
    /// <param name="language">The language that the browser prefers.</param>
    /// <param name="width">The window's width.</param>
    internal async Task<ConsolePage> OpenAsync(Uri gateway, string path = "", string language = "en-US", int width = 1280)
    {
        Assert.SkipUnless(_chromium is not null, $"there is no {Program}: install the package chromium");
        var window = await _chromium.NewContextAsync(new() { BaseURL = gateway.ToString(), Locale = language, ViewportSize = new() { Width = width, Height = 800 } });
        window.SetDefaultTimeout(60_000);
        var page = await ConsolePage.CreateAsync(window);
        await page.GotoAsync(path);
        return page;
    }
}

/// <summary>A window with a page of the console. At its end there must have been no error in the page, and nothing that its policy forbids.</summary>
internal sealed class ConsolePage : IAsyncDisposable
{
    private readonly IBrowserContext _window;
    private readonly List<string> _errors = [];

    private ConsolePage(IBrowserContext window, IPage page) => (_window, Page) = (window, page);

    /// <summary>The page.</summary>
    public IPage Page { get; }

    /// <summary>Errors that the test itself brings about: a part of each one's text.</summary>
    public List<string> Expected { get; } = [];

    /// <summary>Creates the page of a window.</summary>
    public static async Task<ConsolePage> CreateAsync(IBrowserContext window)
    {
        var page = new ConsolePage(window, await window.NewPageAsync());
        page.Page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                page._errors.Add($"{message.Type}: {message.Text}");
            }
        };
        page.Page.PageError += (_, error) => page._errors.Add(error);
        return page;
    }

    /// <summary>Opens another page, and waits until it is interactive.</summary>
    public async Task GotoAsync(string path)
    {
        await Page.GotoAsync($"/console{path}");
        await Page.Locator("[data-interactive], form[action=session]").First.WaitForAsync(new() { State = WaitForSelectorState.Attached });
    }

    /// <summary>Waits until the page has a text.</summary>
    public Task SeesAsync(string text) => Page.GetByText(text).First.WaitForAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _window.CloseAsync();
        Assert.DoesNotContain(_errors, error => !Expected.Exists(expected => error.Contains(expected, StringComparison.Ordinal)));
    }
}
