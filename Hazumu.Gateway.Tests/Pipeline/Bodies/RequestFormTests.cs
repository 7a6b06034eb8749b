using System.Text;
using Hazumu.Gateway.Pipeline.Bodies;

namespace Hazumu.Gateway.Tests.Pipeline.Bodies;

public class RequestFormTests
{
    private const string ContentType = "multipart/form-data; boundary=B";
    private const string Field = "Content-Disposition: form-data; name=\"model\"";
    private const string File = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\0\xFF\r\n--Bx\r\n\r\n";

    [Theory]
    [InlineData("multipart/form-data; boundary=B")]
    [InlineData("Multipart/Form-Data; charset=utf-8; boundary=\"B\"")]
    public async Task Finds_the_model_before_and_behind_the_file(string contentType)
    {
        var model = Part(Field, "whisper:1b");

        Assert.Equal("whisper:1b", (await FindAsync(model + Part("Content-Disposition: form-data; name=\"prompt\"", "x") + "--B--\r\n", contentType)).Model);
        Assert.Equal("whisper:1b", (await FindAsync(Part("Content-Disposition: form-data; name=\"file\"; filename=\"a\"", "RIFF") + model + "--B--\r\n", contentType)).Model);
        Assert.Equal("whisper:1b", (await FindAsync(Part("Content-Disposition: form-data; name=model", "whisper:1b") + "--B--", contentType)).Model);
    }

    [Fact]
    public async Task Form_that_is_cut_off_is_malformed()
    {
        var form = Part(Field, "m") + Part("Content-Disposition: form-data; name=\"file\"; filename=\"a\"", new string('x', 100)) + "--B--\r\n";
        for (var i = 0; i < form.Length - "\r\n".Length; i++)
        {
            Assert.NotNull((await FindAsync(form[..i])).Problem);
        }

        var place = form.IndexOf("\r\n\r\nm\r\n", StringComparison.Ordinal) + 4;
        Assert.Equal(new() { Model = "m", ModelRange = place..(place + 1), IsWhole = true }, await FindAsync(form));
    }

    [Theory]
    [InlineData("binary")]
    [InlineData("8bit")]
    [InlineData("base64")]
    [InlineData("quoted-printable")]
    public async Task Transfer_encoding_of_a_plain_model_is_accepted(string encoding) =>
        Assert.Equal("m:1b", (await FindAsync(Part($"{Field}\r\nContent-Transfer-Encoding: {encoding}", "m:1b") + "--B--\r\n")).Model);

    [Fact]
    public async Task Has_no_model_where_none_is_given()
    {
        var head = await FindAsync(Part("Content-Disposition: form-data; name=\"Model\"", "m") + "--B--\r\n");

        Assert.Equal(new() { IsWhole = true }, head);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("application/json")]
    [InlineData("multipart/mixed; boundary=B")]
    [InlineData("multipart/form-data")]
    [InlineData("multipart/form-data; boundary=")]
    [InlineData("multipart/form-data; boundary=B; boundary=C")]
    [InlineData("multipart/form-data; boundary=B; boundary*=utf-8''C")]
    [InlineData("multipart/form-data; boundary=\"B\\\"\"")]
    [InlineData("multipart/form-data; boundary=BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB")]
    public async Task Says_that_it_is_no_form(string? contentType)
    {
        var head = await FindAsync(Part(Field, "m") + "--B--\r\n", contentType);

        Assert.Equal("The request must be a form (multipart/form-data) with a boundary.", head.Problem);
    }

    [Theory]
    [InlineData("?model=n")]
    [InlineData("?x=1&m%6fdel=n")]
    [InlineData("?model")]
    public async Task Refuses_a_model_in_the_query(string query)
    {
        var head = await RequestForm.FindModelAsync(() => new MemoryStream(Encoding.Latin1.GetBytes(Part(Field, "m") + "--B--\r\n")), ContentType, query, default);

        Assert.Equal("\"model\" belongs in the form, not in the query.", head.Problem);
    }

    public static TheoryData<string, string> MalformedForms => new()
    {
        { Part(Field, "m") + Part(Field, "n") + "--B--\r\n", "\"model\" is given twice." },
        { Part(Field, "") + "--B--\r\n", "\"model\" is empty." },
        { Part(Field, new string('m', 513)) + "--B--\r\n", "\"model\" is longer than 512 characters." },
        { Part(Field, new string('m', 100_000)) + "--B--\r\n", "\"model\" is longer than 512 characters." },
        { Part(Field, "a\0b") + "--B--\r\n", "\"model\" has control characters." },
        { Part(Field, "a\xFF") + "--B--\r\n", "The request's form is broken." },
        { Part(Field + "; filename=\"\"", "m") + "--B--\r\n", "\"model\" must be a plain field." },
        { Part(Field + "; filename*=utf-8''", "m") + "--B--\r\n", "\"model\" must be a plain field." },
        { Part(Field + "\r\nContent-Transfer-Encoding: quoted-printable", "m=6e") + "--B--\r\n", "\"model\" must not be encoded as quoted-printable." },
        { Part("Content-Disposition: form-data; name=\"x\"; name*=utf-8''model", "n") + "--B--\r\n", "The request's form has a part that is not a field." },
        { Part("Content-Disposition: form-data; name*=utf-8''model", "n") + "--B--\r\n", "The request's form has a part that is not a field." },
        { Part("Content-Disposition: form-data; name=\"x\"\r\n ; name*=utf-8''model; y=\":\"", "n") + "--B--\r\n", "The request's form has a part that is not a field." },
        { Part("Content-Disposition: form-data; name=\"x\"\r\n\t; name*=utf-8''model; y=\":\"", "n") + "--B--\r\n", "The request's form has a part that is not a field." },
        { Part("Content-Disposition: form-data; name=\"model\"\n\nn\r\nContent-Type: a/b", "m") + "--B--\r\n", "The request's form has a part that is not a field." },
        { Part("Content-Type: a/b\nContent-Disposition: form-data; name=\"model\"", "n") + "--B--\r\n", "The request's form has a part that is not a field." },
        { Part("X: y\n" + Field + "\r\nContent-Disposition: form-data; name=\"x\"", "n") + "--B--\r\n", "The request's form has a part that is not a field." },
        { Part("Content-Disposition: attachment; name=\"model\"", "n") + "--B--\r\n", "The request's form has a part that is not a field." },
        { Part(Field + "\r\n" + Field, "n") + "--B--\r\n", "The request's form has a part that is not a field." },
        { Part("X: y", "n") + "--B--\r\n", "The request's form has a part that is not a field." },
        { "--B\r\n\r\nn\r\n--B--\r\n", "The request's form has a part that is not a field." },
        { "--B\nContent-Disposition: form-data; name=\"model\"\n\nn\n" + Part(Field, "m") + "--B--\r\n", "The request's form does not begin with its boundary." },
        { "preamble\r\n" + Part(Field, "m") + "--B--\r\n", "The request's form does not begin with its boundary." },
        { "", "The request's form does not begin with its boundary." },
        { Part(Field, "m"), "The request's form is broken." },
        { Part(Field, "m") + File, "The request's form has a part that is not a field." },
        { Part(string.Concat(Enumerable.Range(0, 1_000).Select(i => $"X{i}: y\r\n")) + Field, "m") + "--B--\r\n", "The request's form is broken." },
        { Part("X: " + new string('y', 100_000), "m") + "--B--\r\n", "The request's form is broken." },
    };

    [Theory]
    [MemberData(nameof(MalformedForms))]
    public async Task Says_what_is_malformed(string form, string expected)
    {
        var head = await FindAsync(form);

        Assert.Equal(RequestHead.Malformed(expected), head);
    }

    [Fact]
    public async Task Neither_fails_nor_hangs_on_noise()
    {
        var form = Encoding.Latin1.GetBytes(Part(Field, "m") + File + "--B--\r\n");
        var random = new Random(20260826);
        var (found, malformed) = (0, 0);
        for (var round = 0; round < 5_000; round++)
        {
            var bytes = Streams.StreamTapTests.Damage(form, random);

            var head = await RequestForm.FindModelAsync(() => new MemoryStream(bytes), ContentType, null, default);

            found += head.Model == "m" ? 1 : 0;
            malformed += head.Problem is { } problem && head == RequestHead.Malformed(problem) ? 1 : 0;
        }

        Assert.True(found > 0 && malformed > 0, $"{found} models were found, {malformed} forms refused.");
    }

    private static string Part(string headers, string value) => $"--B\r\n{headers}\r\n\r\n{value}\r\n";

    private static async Task<RequestHeadResult> FindAsync(string form, string? contentType = ContentType) =>
        await RequestForm.FindModelAsync(() => new MemoryStream(Encoding.Latin1.GetBytes(form)), contentType, null, default);
}
