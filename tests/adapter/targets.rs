//! Which modules an adapter scales.

use std::collections::BTreeMap;
use std::fs;

use ia3_web::Error;
use ia3_web::adapter::defaults::default_targets;
use ia3_web::adapter::{AdapterConfig, Place, Site, Targets, TaskType, resolve, settle};
use ia3_web::session::Pooling;
use serde_json::{Value, json};

use super::support::{base, fixtures, list, pattern, tensors};

#[test]
fn chooses_the_modules_that_peft_chooses() {
    for case in ["default", "paper", "regex", "exclude", "inverse", "pooler-dense", "all-linear-ff"] {
        let json: Value =
            serde_json::from_slice(&fs::read(fixtures(&format!("tiny-bert/{case}/case.json"))).unwrap()).unwrap();
        let mut fields = json["config"].clone();
        fields["peft_type"] = json!("IA3");
        let (config, _) = AdapterConfig::from_json(fields.to_string().as_bytes()).unwrap();
        let base = base(Pooling::Pooler);
        let key = |(index, place): &(usize, Place)| {
            let site: &Site = &base.sites[*index];
            let shape = if *place == Place::Output { vec![site.out_features, 1] } else { vec![1, site.in_features] };
            (format!("base_model.model.{}.ia3_l", site.module), shape)
        };
        let found: BTreeMap<_, _> = base.resolve(&config).unwrap().iter().map(key).collect();
        let golden = tensors(&format!("tiny-bert/{case}/golden.safetensors")).into_iter();
        let expected = golden.filter(|(name, _)| name.starts_with("base_model") && name.ends_with("ia3_l"));
        assert_eq!(found, expected.map(|(name, tensor)| (name, tensor.shape)).collect(), "{case}");
    }
}

#[test]
fn names_match_at_dots_except_feedforward_ones() {
    let names =
        ["fc2", "x.fc2", "x.xfc2", "y.attn", "y.xattn", "classifier", "classifier.dense", "a.score.b", "myscore"];
    let site = Site {
        module: String::new(),
        in_features: 1,
        out_features: 1,
        conv1d: false,
        turned: false,
        bias: true,
        head_size: None,
    };
    let sites = names.map(|module| Site { module: module.into(), ..site.clone() });
    let resolved = |config: &AdapterConfig| {
        let places = resolve(config, "none", &sites, &[]).unwrap().into_iter();
        places.map(|(index, place)| (names[index], place)).collect::<Vec<_>>()
    };
    let (output, input) = (Place::Output, Place::Input);
    let config = |targets, feedforward| AdapterConfig {
        target_modules: targets,
        feedforward_modules: feedforward,
        ..AdapterConfig::default()
    };
    assert_eq!(
        resolved(&config(list(&["fc2", "attn"]), list(&[]))),
        [("fc2", output), ("x.fc2", output), ("y.attn", output)]
    );
    assert_eq!(resolved(&config(list(&["xfc2", "attn"]), list(&["fc2"]))), [("x.xfc2", input), ("y.attn", output)]);
    assert_eq!(resolved(&config(pattern("x.*"), pattern(r".*\.fc2"))), [("x.fc2", input), ("x.xfc2", output)]);
    let excluded = AdapterConfig { exclude_modules: list(&["fc2"]), ..config(pattern("(x|y).*"), list(&[])) };
    assert_eq!(resolved(&excluded), [("x.xfc2", output), ("y.attn", output), ("y.xattn", output)]);
    let head = AdapterConfig { task_type: Some(TaskType::SeqCls), ..config(pattern("ALL-linear"), list(&[])) };
    assert_eq!(resolved(&head).last(), Some(&("myscore", output)));
    assert_eq!(resolved(&head).len(), 6);
}

#[test]
fn targets_that_match_nothing_are_told_with_the_names_there_are() {
    let base = base(Pooling::Pooler);
    let config = AdapterConfig { target_modules: list(&["k_proj", "kez"]), ..AdapterConfig::default() };
    match base.resolve(&config) {
        Err(Error::NoTargetMatch { targets, modules }) => {
            assert_eq!(targets, "k_proj, kez");
            assert!(modules.contains(&"bert.encoder.layer.0.attention.self.key".to_string()));
        }
        other => panic!("{other:?}"),
    }
    let none = resolve(&AdapterConfig::default(), "distilbert", &base.sites, &[]);
    assert!(matches!(none, Err(Error::BadOption { option, .. }) if option == "targetModules"));
}

#[test]
fn all_of_pefts_default_targets_are_known() {
    let known = "t5 mt5 gpt2 bloom roberta opt gptj gpt_neox gpt_neo bart gpt_bigcode llama llama4 mistral mixtral bert \
        deberta-v2 deberta RefinedWebModel RefinedWeb falcon phi gemma gemma2 gemma3_text qwen2 qwen3";
    assert_eq!(known.split_whitespace().filter(|model_type| default_targets(model_type).is_some()).count(), 27);
    assert_eq!(default_targets("electra"), None);
}

#[test]
fn a_settled_configuration_is_one_that_peft_can_load() {
    let base = base(Pooling::Pooler);
    let settled = |targets: &[&str], feedforward: Option<Targets>| {
        let config =
            AdapterConfig { target_modules: list(targets), feedforward_modules: feedforward, ..Default::default() };
        let mut written = config.clone();
        let places = settle(&mut written, "bert", &base.sites, &[]).unwrap();
        assert_eq!(places, resolve(&config, "bert", &base.sites, &[]).unwrap());
        let lists = (written.target_modules.unwrap(), written.feedforward_modules.unwrap());
        if let (Targets::List(targets), Targets::List(feedforward)) = &lists {
            assert!(feedforward.iter().all(|name| targets.contains(name)), "PEFT refuses {lists:?}");
        }
        lists.1
    };
    assert_eq!(Some(settled(&["key", "value", "intermediate.dense"], None)), list(&[]));
    assert_eq!(Some(settled(&["key", "output.dense"], None)), list(&["output.dense"]));
    assert_eq!(Some(settled(&["key", "attention.output.dense"], None)), list(&["attention.output.dense"]));
    // `dense` means feed-forward and other layers at once: only full paths can say that.
    assert!(matches!(settled(&["dense"], list(&["output.dense"])), Targets::List(names) if names.len() == 4));
    assert_eq!(Some(settled(&["key"], pattern(".*key"))), pattern(".*key"));
}

#[test]
fn all_linear_is_written_as_the_paths_it_stands_for() {
    let base = base(Pooling::Pooler);
    let mut config = AdapterConfig { target_modules: pattern("all-linear"), ..Default::default() };
    assert_eq!(base.settle(&mut config).unwrap().len(), 13);
    assert!(matches!(config.target_modules, Some(Targets::List(names)) if names.len() == 13));
    assert!(matches!(config.feedforward_modules, Some(Targets::List(names)) if names.len() == 4));
}

#[test]
fn a_pattern_that_matches_more_than_linear_layers_is_written_as_paths() {
    let base = base(Pooling::Pooler);
    for targets in [r".*self\.[^q]\w+", ".*output.*", "bert.*"] {
        let mut config = AdapterConfig { target_modules: pattern(targets), ..Default::default() };
        let places = base.settle(&mut config).unwrap();
        assert!(
            matches!(config.target_modules, Some(Targets::List(names)) if names.len() == places.len()),
            "{targets}"
        );
    }
}

#[test]
fn names_that_match_no_linear_layer_are_not_written() {
    let mut config = AdapterConfig { target_modules: list(&["self", "dropout", "key"]), ..Default::default() };
    config.exclude_modules = list(&["LayerNorm"]);
    assert_eq!(base(Pooling::Pooler).settle(&mut config).unwrap().len(), 2);
    assert_eq!((config.target_modules, config.exclude_modules), (list(&["key"]), None));
}

#[test]
fn the_papers_targets_leave_out_the_output_of_attention() {
    let base = base(Pooling::Pooler);
    let mut config = AdapterConfig::paper("bert").unwrap();
    let found = base.settle(&mut config).unwrap();
    let modules: Vec<&str> = found.iter().map(|(index, _)| base.sites[*index].module.as_str()).collect();
    assert_eq!(modules.len(), 6);
    assert!(modules.iter().all(|module| !module.contains("attention.output")), "{modules:?}");
    assert!(ia3_web::models::supported().iter().all(|model_type| AdapterConfig::paper(model_type).is_some()));
}

#[test]
fn some_layers_are_a_pattern_that_means_the_same_to_peft() {
    let base = base(Pooling::Pooler);
    for targets in [None, list(&["query", "output.dense"]), pattern(r".*\.(key|value)"), pattern("all-linear")] {
        let feedforward = targets.as_ref().map(|_| Targets::List(vec!["output.dense".into()]));
        let mut config =
            AdapterConfig { target_modules: targets, feedforward_modules: feedforward, ..Default::default() };
        let all = base.settle(&mut config.clone()).unwrap();
        let module = |index: &usize| base.sites[*index].module.as_str();
        let expected: Vec<_> = all.into_iter().filter(|(index, _)| module(index).contains("layer.1.")).collect();
        base.restrict(&mut config, &[1]).unwrap();
        assert_eq!(base.settle(&mut config).unwrap(), expected);
    }
    let mut config = AdapterConfig::default();
    for layers in [&[][..], &[2]] {
        assert_eq!(base.restrict(&mut config, layers).unwrap_err().code(), "bad-option");
    }
    base.restrict(&mut config, &[0, 1]).unwrap();
    let expected = pattern(r"(?=(?:.*\.)?layer\.(?:0|1)\.)(?:(?:.*\.)?(?:key|value|output\.dense))");
    assert_eq!(config.target_modules, expected);
}
