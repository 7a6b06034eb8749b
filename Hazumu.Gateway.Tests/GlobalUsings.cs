global using Hazumu.Settings;
global using Xunit;
