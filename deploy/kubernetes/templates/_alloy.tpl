{{/*
config.alloy as the repository has it from the levels of lines on, and before that, in place of the container engine's socket, the logs
of this release's pods by the API server: no path of the node, and no rights but to read logs.
*/}}
{{- define "hazumu.alloy.config" -}}
{{- $common := regexFind "(?s)// Each program writes the level.*" (.Files.Get "files/alloy/config.alloy") -}}
{{- if not (contains "loki.process \"levels\" {" $common) -}}
{{- fail "files/alloy/config.alloy has lost the line '// Each program writes the level' before loki.process \"levels\", from which on templates/_alloy.tpl takes it over." -}}
{{- end -}}
// Rendered from the repository's file by templates/_alloy.tpl.
logging {
	// Alloy's own log goes to Loki as well.
	level = "warn"
}

discovery.kubernetes "pods" {
	role = "pod"

	namespaces {
		names = {{ list .Release.Namespace (.Values.hostNamespace | default .Release.Namespace) | uniq | toJson | replace "\",\"" "\", \"" }}
	}

	selectors {
		role  = "pod"
		label = "app.kubernetes.io/name=hazumu,app.kubernetes.io/instance={{ .Release.Name }}"
	}
}

// A pod is called as it is in Prometheus. What a container of its start says is its service's too.
discovery.relabel "pods" {
	targets = discovery.kubernetes.pods.targets

	rule {
		source_labels = ["__meta_kubernetes_pod_label_hazumu_service"]
		target_label  = "service"
	}
{{ range include "hazumu.instances" . | fromYamlArray }}
	rule {
		source_labels = {{ toJson .source_labels | replace "\",\"" "\", \"" }}
		{{- with .regex }}
		regex         = {{ toJson . }}
		{{- end }}
		target_label  = "instance"
		{{- with .replacement }}
		replacement   = {{ toJson . }}
		{{- end }}
	}
{{ end -}}
}

loki.source.kubernetes "pods" {
	targets    = discovery.relabel.pods.output
	forward_to = [loki.process.pods.receiver]
}

// The source names itself as the job, which would be one more label.
loki.process "pods" {
	stage.label_drop {
		values = ["job"]
	}

	forward_to = [loki.process.levels.receiver]
}

{{ $common }}
{{- end }}
