namespace Hazumu.Grafana;

/// <summary>The dashboard "Host and GPU".</summary>
internal static class HostGpuDashboard
{
    /// <summary>Its definition.</summary>
    public static Dashboard Create() => new(
        "hazumu-host-gpu",
        "Host and GPU",
        "The machines and their GPUs of any vendor: load, memory, pressure, heat, disks.",
        [
            new Row("GPUs: ${gpus} measured") { IsCollapsed = true },
            new TimeSeries(8, 8, "GPU busy", "Share of the time in which a GPU worked. 100 % with an empty queue is healthy; near 0 % under load means that the model runs on the CPU (ModelPartlyOnCpu).")
            {
                Queries = [Query.Top(12, """hazumu:gpu_utilization:ratio{gpu=~"$gpu"}""", "{{gpu}}")],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
            },
            new TimeSeries(8, 8, "GPU memory in use", "Memory in use, and the memory of the largest card (dashed). Above 97 %, the next longer context or model may not fit (GpuMemoryNearlyFull): use fewer models at a time, a shorter context, or a smaller model.")
            {
                Queries =
                [
                    Query.Top(11, """hazumu:gpu_memory_used:bytes{gpu=~"$gpu"}""", "{{gpu}}"),
                    Query.Of("""max(hazumu:gpu_memory_total:bytes{gpu=~"$gpu"})""", "total of the largest"),
                ],
                Unit = "bytes",
                Min = 0,
                Overrides = [Override.ByRegex("/^total/", Set.Dashed, Set.NoFill)],
            },
            new TimeSeries(8, 8, "GPU temperature", "Temperature, and the lowest limit above which GpuHot fires (dashed): check the fans, dust and the air flow. NVIDIA reports the temperature at the edge of the die, AMD that of the hottest spot. The limit of NVIDIA's data centre cards refers to their hottest sensor, so it gets nearer under load.")
            {
                Queries =
                [
                    Query.Top(11, """hazumu:gpu_temperature:celsius{gpu=~"$gpu"}""", "{{gpu}}"),
                    Query.Of("""min(hazumu:gpu_temperature:celsius{gpu=~"$gpu"} + hazumu:gpu_temperature_margin:celsius)""", "lowest limit"),
                ],
                Unit = "celsius",
                Min = 0,
                Fill = 0,
                Overrides = [Override.ByRegex("/limit$/", Set.Color(Colors.Red), Set.Dashed, Set.NoFill, Set.NotStacked)],
            },
            new TimeSeries(8, 7, "GPU power", "Power that each GPU draws. A card at its own power limit is busy, not faulty.")
            {
                Queries = [Query.Top(12, """hazumu:gpu_power:watts{gpu=~"$gpu"}""", "{{gpu}}")],
                Unit = "watt",
                Min = 0,
            },
            new StateTimeline(8, 7, "GPU slowed down", "Slowed: heat or the power supply limits the clock, and tokens arrive more slowly (GpuThrottled).")
            {
                Queries = Query.Rows("""max by (gpu, reason) (hazumu:gpu_throttled:bool{gpu=~"$gpu"})""", isHighBad: true, "> 0", "{{gpu}} {{reason}}"),
                States = [Mapping.Value("0", Colors.Green, "Well"), Mapping.Value("1", Colors.Red, "Slowed")],
            },
            new Table(8, 7, "GPU faults", "GPUs that report an error now: an XID that needs a reset or a new card, a driver that does not answer, a card that reports itself unhealthy. A row named none means no errors; no data means that no GPU is measured. Runbook GpuFault.")
            {
                Queries = [Query.OrNone("""hazumu:gpu_fault:info{gpu=~"(?:$gpu)|all"} == 1""", "fault", """hazumu:gpu_memory_total:bytes{gpu=~"$gpu"}""", "{{fault}}")],
                Unit = "string",
                Overrides = [Override.ByName("fault", Set.ColoredText, Set.Mappings(Mapping.Value("none", Colors.Green), Mapping.Matches(".+", Colors.Red)))],
                SortBy = "gpu",
                Columns = ["gpu", "fault", "vendor", "instance"],
                Hidden = ["Time", "Value", "__name__"],
            },
            new Row("Processor and memory"),
            new TimeSeries(8, 8, "CPU by mode", "Share of all processor time by use. High iowait: the disk is too slow. High steal: the machine is virtual, and other machines use its processor time.")
            {
                Queries = [Query.Of("""sum by (mode) (rate(node_cpu_seconds_total{job="nodeexporter",instance=~"$host",mode!="idle"}[$__rate_interval])) / scalar(count(node_cpu_seconds_total{job="nodeexporter",instance=~"$host",mode="idle"}))""", "{{mode}}")],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Stacked = true,
            },
            new TimeSeries(8, 8, "Load", "Processes that run or want to run, and the number of cores (dashed). Above this number, processes wait.")
            {
                Queries =
                [
                    Query.Top(4, """node_load1{job="nodeexporter",instance=~"$host"}""", "{{instance}} 1 min"),
                    Query.Top(4, """node_load15{job="nodeexporter",instance=~"$host"}""", "{{instance}} 15 min"),
                    Query.Top(4, """count by (instance) (node_cpu_seconds_total{job="nodeexporter",instance=~"$host",mode="idle"})""", "{{instance}} cores"),
                ],
                Unit = "suffix:processes",
                Min = 0,
                Overrides = [Override.ByRegex("/ cores$/", Set.Dashed, Set.NoFill)],
            },
            new TimeSeries(8, 8, "Pressure", "Share of the time in which processes had to wait for processor, memory or disk. Memory above a few per cent: the machine has too little memory, and everything slows down. No data if the kernel does not measure it (PSI).")
            {
                Queries =
                [
                    Query.Top(4, """rate(node_pressure_cpu_waiting_seconds_total{job="nodeexporter",instance=~"$host"}[$__rate_interval])""", "{{instance}} CPU"),
                    Query.Top(4, """rate(node_pressure_memory_waiting_seconds_total{job="nodeexporter",instance=~"$host"}[$__rate_interval])""", "{{instance}} memory"),
                    Query.Top(4, """rate(node_pressure_io_waiting_seconds_total{job="nodeexporter",instance=~"$host"}[$__rate_interval])""", "{{instance}} disk"),
                ],
                Unit = "percentunit",
                Min = 0,
                Fill = 0,
            },
            new TimeSeries(8, 8, "Host memory", "Memory in use, and the total (dashed). The file cache counts as free. It holds model files, so the less memory is free, the slower models load.")
            {
                Queries =
                [
                    Query.Top(4, """node_memory_MemTotal_bytes{job="nodeexporter",instance=~"$host"} - node_memory_MemAvailable_bytes{job="nodeexporter",instance=~"$host"}""", "{{instance}}"),
                    Query.Top(4, """node_memory_SwapTotal_bytes{job="nodeexporter",instance=~"$host"} - node_memory_SwapFree_bytes{job="nodeexporter",instance=~"$host"}""", "{{instance}} swap"),
                    Query.Top(4, """node_memory_MemTotal_bytes{job="nodeexporter",instance=~"$host"}""", "{{instance}} total"),
                ],
                Unit = "bytes",
                Min = 0,
                Overrides = [Override.ByRegex("/ total$/", Set.Dashed, Set.NoFill)],
            },
            new TimeSeries(8, 8, "Paging", "Pages per second that were read from disk because they were not in memory, and pages that were swapped out and in. A model that is mapped from disk and does not fit into memory causes them during answers: it is then as slow as the disk.")
            {
                Queries =
                [
                    Query.Top(4, """rate(node_vmstat_pgmajfault{job="nodeexporter",instance=~"$host"}[$__rate_interval])""", "{{instance}} major faults"),
                    Query.Top(4, """rate(node_vmstat_pswpin{job="nodeexporter",instance=~"$host"}[$__rate_interval])""", "{{instance}} swapped in"),
                    Query.Top(4, """rate(node_vmstat_pswpout{job="nodeexporter",instance=~"$host"}[$__rate_interval])""", "{{instance}} swapped out"),
                ],
                Unit = "suffix:pages/s",
                Min = 0,
                Fill = 0,
            },
            new Stat(4, 4, "Out-of-memory kills", "Processes that the kernel killed in the chosen time range because memory ran out. Next: the container, on the dashboard Containers. Runbook ContainerOutOfMemory.")
            {
                Queries = [Query.Of("""topk(4, increase(node_vmstat_oom_kill{job="nodeexporter",instance=~"$host"}[$__range]))""", "{{instance}}")],
                Min = 0,
                Decimals = 0,
                Thresholds = [new(Colors.Green), new(1, Colors.Red)],
                Links = [Link.To("Containers", "hazumu-containers")],
            },
            new Stat(4, 4, "Clock", "Whether the host's kernel reports that a time service sets its clock. Without a time service, the clock may drift, and probes, logs and traces of several machines do not match. Some virtual machines get the time from their host and report none.")
            {
                Queries = [Query.Of("""bottomk(4, node_timex_sync_status{job="nodeexporter",instance=~"$host"})""", "{{instance}}")],
                States = [Mapping.Value("1", Colors.Green, "Synchronised"), Mapping.Value("0", Colors.Yellow, "Not synchronised")],
            },
            new BarGauge(8, 4, "Sensors", "The hottest sensor of each chip of the host. Processors slow themselves down from about 95 °C on. Virtual machines have no sensors.")
            {
                Queries = [Query.Of("""topk(12, max by (instance, chip) (node_hwmon_temp_celsius{job="nodeexporter",instance=~"$host"}))""", "{{instance}} {{chip}}")],
                Unit = "celsius",
                Min = 0,
                Max = 110,
                Decimals = 0,
                Name = "${__field.labels.instance} ${__field.labels.chip}",
                Thresholds = [new(Colors.Green), new(80, Colors.Yellow), new(95, Colors.Red)],
            },
            new Row("Disks"),
            new BarGauge(8, 8, "Disk space left", "Share of each disk that is free. Below 25 % and shrinking: look at it on a working day (DiskFilling). Below 5 %, pulls fail first, then Prometheus, then other containers (DiskNearlyFull).")
            {
                Queries = [Query.Of("""bottomk(12, instance_device:node_filesystem_avail:ratio{instance=~"$host"})""", "{{instance}} {{device}}")],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Decimals = 0,
                Name = "${__field.labels.instance} ${__field.labels.device}",
                Thresholds = [new(Colors.Red), new(0.05, Colors.Yellow), new(0.25, Colors.Green)],
            },
            new TimeSeries(8, 8, "Disk reads and writes", "Read above the line, written below it. Loading a model reads its whole file unless it is in the file cache.")
            {
                Queries =
                [
                    Query.Top(6, """sum by (instance, device) (rate(node_disk_read_bytes_total{job="nodeexporter",instance=~"$host"}[$__rate_interval]))""", "{{instance}} {{device}} read"),
                    Query.Top(6, """sum by (instance, device) (rate(node_disk_written_bytes_total{job="nodeexporter",instance=~"$host"}[$__rate_interval]))""", "{{instance}} {{device}} written"),
                ],
                Unit = "Bps",
                CentersZero = true,
                Overrides = [Override.OfQuery("B", Set.Negative)],
            },
            new TimeSeries(8, 8, "Disk busy", "Share of the time in which a disk was busy. 100 % during a load is usual; at a permanent 100 %, everything waits.")
            {
                Queries = [Query.Top(12, """rate(node_disk_io_time_seconds_total{job="nodeexporter",instance=~"$host"}[$__rate_interval])""", "{{instance}} {{device}}")],
                Unit = "percentunit",
                Min = 0,
                Max = 1,
                Fill = 0,
            },
        ])
    {
        Alerts = "Gpu.+|Disk.+",
        Variables = [Variable.OfLabel("host", "Host", "Every machine with a node exporter.", """label_values(node_uname_info{job="nodeexporter"}, instance)"""), Variable.OfLabel("gpu", "GPU", "Every GPU by its id.", "label_values(hazumu:gpu_memory_total:bytes, gpu)"), Variable.Number("gpus", "GPUs", "How many GPUs are measured.", "count(hazumu:gpu_memory_total:bytes) or vector(0)")],
    };
}
