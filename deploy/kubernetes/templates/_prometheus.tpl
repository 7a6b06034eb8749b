{{/*
prometheus.yml as the repository has it, with discovery in the cluster in place of the files that Compose and the AppHost write: the
same jobs with the same labels, so that rules and dashboards hold as they are. A job that has no template below stops the rendering.
*/}}
{{- define "hazumu.prometheus.config" -}}
{{- $root := . -}}
{{- $text := .Files.Get "files/prometheus/prometheus.yml" -}}
{{- range $service, $component := (include "hazumu.known" . | fromYaml).components -}}
{{- if $component.port -}}
{{- $text = replace (printf " %s:%v\n" $service $component.port) (printf " %s:%v\n" (include "hazumu.name" (dict "root" $root "service" $service)) $component.port) $text -}}
{{- end -}}
{{- end -}}
{{- $config := fromYaml $text -}}
{{- $jobs := list -}}
{{- range $job := $config.scrape_configs -}}
{{- if not $job.file_sd_configs -}}
{{- $jobs = append $jobs $job -}}
{{- else -}}
{{- $discovery := include (printf "hazumu.discovery.%s" $job.job_name) $root | fromYaml -}}
{{- if $discovery -}}
{{- $ours := list -}}
{{- range $rule := $job.metric_relabel_configs | default list -}}
{{/* The labels of Docker's containers, which the kubelet's cAdvisor does not know. */}}
{{- if not (or (has "container_label_hazumu_service" ($rule.source_labels | default list)) (has "container_label_hazumu_instance" ($rule.source_labels | default list)) (has "container_label_hazumu_engine" ($rule.source_labels | default list)) (has "container_label_hazumu_network" ($rule.source_labels | default list))) -}}
{{- $ours = append $ours $rule -}}
{{- end -}}
{{- end -}}
{{- $relabel := concat ($discovery.relabel_configs | default list) ($job.relabel_configs | default list) -}}
{{- $metricRelabel := concat ($discovery.metric_relabel_configs | default list) $ours ($discovery.last_metric_relabel_configs | default list) -}}
{{- $job = mergeOverwrite (omit $job "file_sd_configs") (omit $discovery "last_metric_relabel_configs") (dict "relabel_configs" $relabel) -}}
{{- if $metricRelabel -}}
{{- $job = mergeOverwrite $job (dict "metric_relabel_configs" $metricRelabel) -}}
{{- end -}}
{{- $jobs = append $jobs $job -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $alertmanagers := list -}}
{{- if .Values.alertmanager.enabled -}}
{{- $alertmanagers = list (include "hazumu.discovery.pods" (dict "root" . "services" (list "alertmanager")) | fromYaml) -}}
{{- end -}}
{{- mergeOverwrite (omit $config "scrape_config_files") (dict "scrape_configs" $jobs "alerting" (dict "alertmanagers" $alertmanagers)) | toYaml -}}
{{- end }}

{{/* Which jobs must have a target: those of the components that the release has. The AppHost writes the same for the other forms. */}}
{{- define "hazumu.prometheus.expected" -}}
{{- $root := . -}}
{{- $jobs := list -}}
{{- range $job := (.Files.Get "files/prometheus/prometheus.yml" | fromYaml).scrape_configs -}}
{{- if and $job.file_sd_configs (ne $job.job_name "services") (include (printf "hazumu.discovery.%s" $job.job_name) $root) -}}
{{- $jobs = append $jobs $job.job_name -}}
{{- end -}}
{{- end -}}
{{- $known := (include "hazumu.known" . | fromYaml).components -}}
{{- $engines := include "hazumu.engines" . | fromJson -}}
{{- range $service := without (index $known "prometheus").reaches "blackbox" -}}
{{- if and (include "hazumu.enabled" (dict "root" $root "service" $service)) (or (not (index $known $service).engine) (hasKey $engines $service)) -}}
{{- $jobs = append $jobs $service -}}
{{- end -}}
{{- end -}}
groups:
  - name: hazumu-expected
    rules:
      {{- range $job := $jobs | sortAlpha }}
      - { record: hazumu:expected_job:info, labels: { job: {{ $job }} }, expr: vector(1) }
      {{- end }}
{{- end }}

{{/* Running pods of this release that belong to some services, each once. */}}
{{- define "hazumu.discovery.pods" -}}
{{- $namespaces := list .root.Release.Namespace -}}
{{- if .root.Values.hostNamespace -}}
{{- $namespaces = append $namespaces .root.Values.hostNamespace | uniq -}}
{{- end -}}
kubernetes_sd_configs:
  - role: pod
    namespaces:
      names: {{ toJson $namespaces }}
    selectors:
      - role: pod
        label: app.kubernetes.io/name=hazumu,app.kubernetes.io/instance={{ .root.Release.Name }},app.kubernetes.io/component in ({{ join "," .services }})
relabel_configs:
  # A pod that waits for a node, an image or its models is no server yet; one that has ended is none any more.
  - source_labels: [__meta_kubernetes_pod_phase]
    regex: Running
    action: keep
  - source_labels: [__meta_kubernetes_pod_label_hazumu_service, __meta_kubernetes_pod_container_port_name]
    regex: gateway;management|(?:{{ without .services "gateway" | join "|" }});http
    action: keep
  {{- include "hazumu.instances" . | nindent 2 }}
  - source_labels: [__meta_kubernetes_pod_label_hazumu_engine]
    regex: (.+)
    target_label: engine
  - target_label: network
    replacement: {{ (include "hazumu.known" .root | fromYaml).network }}
{{- end }}

{{/* What a pod is called, in Prometheus and in Loki. */}}
{{- define "hazumu.instances" -}}
- source_labels: [__meta_kubernetes_pod_label_hazumu_instance]
  target_label: instance
# Of several pods each needs a name of its own: a replica's number, a node, the end of a pod's name.
- source_labels: [__meta_kubernetes_pod_label_hazumu_service, __meta_kubernetes_pod_name]
  regex: (ollama|llamaserver|vllm);.+-([0-9]+)
  target_label: instance
  replacement: $1-$2
- source_labels: [__meta_kubernetes_pod_label_hazumu_service, __meta_kubernetes_pod_node_name]
  regex: (?:nodeexporter|gpuexporter);(.+)
  target_label: instance
- source_labels: [__meta_kubernetes_pod_label_hazumu_service, __meta_kubernetes_pod_name]
  regex: (gateway);.+-([a-z0-9]+)
  target_label: instance
  replacement: $1-$2
{{- end }}

{{- define "hazumu.discovery.blackbox" -}}
{{- if .Values.blackbox.enabled -}}
{{ include "hazumu.discovery.pods" (dict "root" . "services" (list "blackbox")) }}
{{- end -}}
{{- end }}

{{- define "hazumu.discovery.engine-health" -}}
{{- $engines := include "hazumu.engines" . | fromJson | keys | sortAlpha -}}
{{- if and .Values.blackbox.enabled $engines -}}
{{ include "hazumu.discovery.pods" (dict "root" . "services" $engines) }}
{{- end -}}
{{- end }}

{{/* Whatever Prometheus reaches and no job of its own name asks. */}}
{{- define "hazumu.discovery.services" -}}
{{- $services := without (index (include "hazumu.known" . | fromYaml).components "prometheus").reaches "blackbox" -}}
{{ include "hazumu.discovery.pods" (dict "root" . "services" $services) }}
  - source_labels: [__meta_kubernetes_pod_label_hazumu_service]
    target_label: job
  # For the adapter that hands the gateway's queue to autoscalers.
  - source_labels: [__meta_kubernetes_pod_label_hazumu_service, __meta_kubernetes_namespace]
    regex: gateway;(.+)
    target_label: namespace
  - source_labels: [__meta_kubernetes_pod_label_hazumu_service, __meta_kubernetes_pod_name]
    regex: gateway;(.+)
    target_label: pod
{{- end }}

{{/* The kubelets' cAdvisor. It knows pods by name only, and those of the whole node. */}}
{{- define "hazumu.discovery.cadvisor" -}}
{{- if .Values.prometheus.kubelet.enabled -}}
{{- $namespace := .Release.Namespace -}}
{{- $hostNamespace := .Values.hostNamespace | default $namespace -}}
{{- $name := include "hazumu.fullname" . -}}
scheme: https
metrics_path: /metrics/cadvisor
authorization:
  credentials_file: /var/run/secrets/kubernetes.io/serviceaccount/token
tls_config:
  ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
  insecure_skip_verify: {{ .Values.prometheus.kubelet.insecureSkipVerify }}
kubernetes_sd_configs:
  - role: node
    {{- with .Values.prometheus.kubelet.nodeSelector }}
    selectors:
      - role: node
        label: {{ range $i, $key := keys . | sortAlpha }}{{ if $i }},{{ end }}{{ $key }}={{ index $.Values.prometheus.kubelet.nodeSelector $key }}{{ end }}
    {{- end }}
relabel_configs:
  - source_labels: [__meta_kubernetes_node_name]
    target_label: instance
  - target_label: network
    replacement: {{ (include "hazumu.known" . | fromYaml).network }}
metric_relabel_configs:
  # Whose pod it is. Stateful pods end in a number, a DaemonSet's in a word, a Deployment's in a hash and a word.
  - source_labels: [namespace, pod]
    regex: {{ $namespace }};{{ $name }}-(ollama|llamaserver|vllm|prometheus|grafana|alertmanager|loki|alloy)-[0-9]+
    target_label: service
  - source_labels: [namespace, pod]
    regex: {{ $namespace }};{{ $name }}-(gateway|blackbox)-[a-z0-9]+-[a-z0-9]+
    target_label: service
  - source_labels: [namespace, pod]
    regex: {{ $hostNamespace }};{{ $name }}-(nodeexporter|gpuexporter)-[a-z0-9]+
    target_label: service
  - source_labels: [service]
    regex: (.+)
    target_label: instance
  - source_labels: [service, pod]
    regex: (ollama|llamaserver|vllm|gateway|nodeexporter|gpuexporter);.+-([a-z0-9]+)
    target_label: instance
    replacement: $1-$2
  {{- range $service, $kind := include "hazumu.engines" . | fromJson }}
  - source_labels: [service]
    regex: {{ $service }}
    target_label: engine
    replacement: {{ $kind }}
  {{- end }}
  # What belongs to somebody else's pod, or to a pod as a whole: its containers would be counted twice. Only the network is the pod's.
  - source_labels: [service, pod]
    regex: ;.+
    action: drop
  - source_labels: [pod, container, __name__]
    regex: .+;(?:POD)?;container_(?:[^n]|n[^e]).*
    action: drop
last_metric_relabel_configs:
  # "instance" tells pods apart. What a container is called by its runtime is new with each start, which "changes()" would not see.
  - regex: name|namespace|pod
    action: labeldrop
{{- end }}
{{- end }}

{{- define "hazumu.discovery.engines" -}}
{{- include "hazumu.discovery.cadvisor" . -}}
{{- end }}
