
namespace Hazumu.Tests.Rules;

public sealed class PromQLTests
{
    [Theory]
    [InlineData("sum by (a, b) (rate(m_total{c=\"d\"}[5m])) / on (a) group_left (b) (n:o:p > bool 0)", "m_total n:o:p")]
    [InlineData("max_over_time(up[30s]) and count_over_time(up[30s]) > 1 unless absent(x offset 5m)", "up x")]
    [InlineData("label_replace(m, \"a\", \"$1\", \"b\", \"(.+)\") * 1e9 or vector(1) - time()", "m")]
    [InlineData("{__name__=~\"a_b|c_d\",e!=\"\"} == 1", "a_b c_d")]
    [InlineData("{__name__=~\"(?:a_)?b\"}", "(?:a_)?b")]
    public void The_metrics_of_an_expression_are_found(string expression, string names) =>
        Assert.Equal(names, string.Join(' ', PromQL.MetricNames(expression).Distinct()));

    [Fact]
    public void The_numbers_of_an_expression_are_found() =>
        Assert.Equal([0.995, 2, 21, 86400], PromQL.Numbers("a:b:rate5m{le=\"5.0\"}[1h] < 0.995 * 2 - m1 offset 7m > 21 * 86400"));
}
