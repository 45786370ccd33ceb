//! `adapter_config.json`.

use ia3_web::adapter::{AdapterConfig, TaskType};

use super::support::{code, list};

#[test]
fn writes_the_configuration_as_python_does() {
    let mut config =
        AdapterConfig { base_model_name_or_path: Some("org/modèle\u{7f}😀".into()), ..Default::default() };
    config.target_modules = list(&["key", "output.dense"]);
    config.feedforward_modules = list(&[]);
    config.task_type = Some(TaskType::Seq2SeqLm);
    let expected = r#"{
  "auto_mapping": null,
  "base_model_name_or_path": "org/mod\u00e8le\u007f\ud83d\ude00",
  "exclude_modules": null,
  "fan_in_fan_out": false,
  "feedforward_modules": [],
  "inference_mode": true,
  "init_ia3_weights": true,
  "modules_to_save": null,
  "peft_type": "IA3",
  "peft_version": "0.21.2",
  "revision": null,
  "target_modules": [
    "key",
    "output.dense"
  ],
  "task_type": "SEQ_2_SEQ_LM"
}"#;
    assert_eq!(String::from_utf8(config.to_json()).unwrap(), expected);
}

#[test]
fn reads_sparse_and_odd_configurations() {
    let (config, warnings) = AdapterConfig::from_json(br#"{"peft_type": "IA3"}"#).unwrap();
    assert_eq!((config, warnings.len()), (AdapterConfig { peft_version: None, ..Default::default() }, 0));
    let odd =
        br#"{"peft_type": "IA3", "runtime_config": {}, "layers_pattern": 1, "modules_to_save": ["score", "score"]}"#;
    let (config, warnings) = AdapterConfig::from_json(odd).unwrap();
    assert_eq!((config.modules_to_save, warnings.len()), (Some(vec!["score".to_string()]), 2));
}

#[test]
fn a_bad_configuration_is_refused() {
    for json in [
        "",
        "[]",
        "{}",
        r#"{"peft_type": "LORA"}"#,
        r#"{"config": {"architecture": "lora"}, "model_type": "bert"}"#,
        r#"{"peft_type": "IA3", "task_type": "MULTIPLE_CHOICE"}"#,
        r#"{"peft_type": "IA3", "target_modules": 3}"#,
        r#"{"peft_type": "IA3", "target_modules": ["a", 1]}"#,
        r#"{"peft_type": "IA3", "modules_to_save": "classifier"}"#,
        r#"{"peft_type": "IA3", "fan_in_fan_out": "no"}"#,
    ] {
        assert_eq!(code(AdapterConfig::from_json(json.as_bytes())), "bad-adapter", "{json}");
    }
}
