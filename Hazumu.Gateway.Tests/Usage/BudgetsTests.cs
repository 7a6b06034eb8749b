using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Configuration;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Usage;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Gateway.Tests.Usage;

public sealed class BudgetsTests
{
    [Fact]
    public void The_group_of_a_tokens_claim_has_the_budget()
    {
        var caller = Token() with { EndUser = "anna", Group = "sales" };

        var claim = ClaimOf(caller, "EachGroup:TokensPerDay=100", "Groups:sales:TokensPerDay=7");

        var account = Assert.Single(claim!.Accounts);
        Assert.Equal((BudgetAccount.OfGroup("sales"), "The group 'sales'", 7L), (account.Id, account.Name, account.TokensPerDay!.Value));
    }

    [Fact]
    public void People_of_an_issuer_share_no_budget_of_a_key()
    {
        string[] budgets = ["EachKey:RequestsPerDay=1", "EachUser:RequestsPerDay=1"];

        var (anna, bo) = (ClaimOf(Token() with { EndUser = "anna" }, budgets), ClaimOf(Token() with { EndUser = "bo" }, budgets));

        Assert.Equal("This user of the issuer 'team'", Assert.Single(anna!.Accounts).Name);
        Assert.NotEqual(anna.Accounts[0].Id, Assert.Single(bo!.Accounts).Id);
    }

    private static Caller Token() => new("issuer:team", new ApiKey { Id = "issuer:team", Name = "issuer:team", Hash = [], Scopes = Scope.Infer, Group = "others", Created = TestKeys.Now });

    private static BudgetClaim? ClaimOf(Caller caller, params string[] budgets)
    {
        using var file = new SettingsFile(budgets.Select(budget => $"Budgets:{budget}"));
        using var settings = new GatewaySettings(() => new ConfigurationBuilder().AddJsonFile(file.FullPath).Build(), [file.FullPath], new KeptLog<GatewaySettings>());
        return new Budgets(settings, new UsageCalendar("UTC"), TimeProvider.System).ClaimOf(caller, caller.EndUser, 0);
    }
}
