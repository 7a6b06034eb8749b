using Hazumu.Gateway.Pipeline.Forwarding;

namespace Hazumu.Gateway.Tests.Pipeline.Forwarding;

public class RetryBudgetTests
{
    [Fact]
    public void There_are_ten_to_begin_with_and_then_a_part_of_the_requests()
    {
        var budget = new RetryBudget();
        Assert.Equal(10, Spend(budget));

        for (var requests = 0; requests < 24; requests++)
        {
            budget.Earn(20);
        }

        Assert.Equal(4, Spend(budget));
    }

    [Fact]
    public void An_unspent_budget_is_not_saved_up()
    {
        var budget = new RetryBudget();
        for (var requests = 0; requests < 10_000; requests++)
        {
            budget.Earn(100);
        }

        Assert.Equal(10, Spend(budget));
    }

    [Fact]
    public void A_part_of_nothing_is_nothing()
    {
        var budget = new RetryBudget();
        Spend(budget);
        for (var requests = 0; requests < 10_000; requests++)
        {
            budget.Earn(0);
        }

        Assert.Equal(0, Spend(budget));
    }

    private static int Spend(RetryBudget budget)
    {
        var spent = 0;
        while (spent < 1_000 && budget.TrySpend())
        {
            spent++;
        }

        return spent;
    }
}
