//! Which layers an adapter scales, and on which side: PEFT's matching rules, to the letter.

use super::config::{AdapterConfig, Targets, TaskType};
use super::defaults::default_targets;
use super::pattern::Pattern;
use super::{Place, Site};
use crate::{Error, Result};

/// How many module names an error shows: a BERT layer has six linear layers.
const SHOWN: usize = 8;

/// The heads that PEFT adds to `modules_to_save` of a classifier before it looks for targets.
pub(super) const CLASSIFIERS: [&str; 2] = ["classifier", "score"];

/// The targets of `config` among `sites`, in the order of `sites`, each with the side it scales. `head_modules` are
/// paths of modules that are trained whole and never scaled, such as `classifier`.
///
/// The rules, in PEFT's order: a path is left out if `exclude_modules` matches it or if it lies in a module of
/// `modules_to_save`; else it is a target if `target_modules` matches it; a target is feed-forward if
/// `feedforward_modules` matches it. A pattern must match the whole path. A name matches the path itself or what follows
/// a dot, except in `feedforward_modules`, where any ending of the path will do (`fc2` there also means `xfc2`).
/// Fields that are `None` have the default of `model_type`.
///
/// [`Error::NoTargetMatch`] where there is no target, [`Error::BadOption`] where a field is `None` and the model type
/// has no default, [`Error::BadAdapter`] for a pattern that is malformed or too slow.
pub fn resolve(
    config: &AdapterConfig,
    model_type: &str,
    sites: &[Site],
    head_modules: &[&str],
) -> Result<Vec<(usize, Place)>> {
    let (targets, feedforward) = with_defaults(config, model_type)?;
    let protected = Protected::new(config, head_modules)?;
    let exclude = config.exclude_modules.as_ref().map(Rule::new).transpose()?;
    // `all-linear` leaves the head alone and nothing else; the head is in `protected`.
    let wanted = if is_all_linear(&targets) { None } else { Some(Rule::new(&targets)?) };
    let feedforward_rule = Rule::new(&feedforward)?;

    let mut found = Vec::new();
    for (index, Site { module, .. }) in sites.iter().enumerate() {
        let excluded = exclude.as_ref().map_or(Ok(false), |rule| rule.matches(module))?;
        if excluded || protected.matches(module)? || !wanted.as_ref().map_or(Ok(true), |rule| rule.matches(module))? {
            continue;
        }
        let place = if feedforward_rule.ends(module)? { Place::Input } else { Place::Output };
        found.push((index, place));
    }
    if found.is_empty() {
        return Err(Error::NoTargetMatch {
            targets: describe(&targets),
            modules: sites.iter().take(SHOWN).map(|site| site.module.clone()).collect(),
        });
    }
    Ok(found)
}

/// Fills in what `config` leaves to defaults so that PEFT can load it once it is written, and resolves it.
///
/// `all-linear` becomes the list of paths it stands for. Where both fields are lists, PEFT demands on loading that
/// `feedforward_modules` be a literal subset of `target_modules`, yet makes configurations that are not (it fills in the
/// default beside targets chosen by hand). Here the list is cut to those targets it covers; where that would change what
/// is scaled, both fields become the full paths of the modules found.
pub fn settle(
    config: &mut AdapterConfig,
    model_type: &str,
    sites: &[Site],
    head_modules: &[&str],
) -> Result<Vec<(usize, Place)>> {
    let found = resolve(config, model_type, sites, head_modules)?;
    let (mut targets, feedforward) = with_defaults(config, model_type)?;
    if is_all_linear(&targets) {
        targets = paths(sites, &found, |_| true);
    }
    let feedforward = match (&targets, feedforward) {
        (Targets::List(targets), Targets::List(endings)) => {
            let covered = |target: &&String| endings.iter().any(|ending| target.ends_with(ending));
            Targets::List(targets.iter().filter(covered).cloned().collect())
        }
        (Targets::List(_) | Targets::Regex(_), feedforward) => feedforward,
    };
    config.target_modules = Some(targets);
    config.feedforward_modules = Some(feedforward);
    if resolve(config, model_type, sites, head_modules)? != found {
        name_all(config, sites, &found);
        if resolve(config, model_type, sites, head_modules)? != found {
            return Err(Error::BadAdapter {
                reason: "its targets cannot be written as PEFT reads them: name the modules in full".into(),
            });
        }
    }
    Ok(found)
}

/// Replaces the fields that choose modules by full paths of exactly those in `found`.
pub(super) fn name_all(config: &mut AdapterConfig, sites: &[Site], found: &[(usize, Place)]) {
    config.target_modules = Some(paths(sites, found, |_| true));
    config.feedforward_modules = Some(paths(sites, found, |place| place == Place::Input));
    config.exclude_modules = None;
}

fn paths(sites: &[Site], found: &[(usize, Place)], wanted: impl Fn(Place) -> bool) -> Targets {
    let chosen = found.iter().filter(|(_, place)| wanted(*place));
    Targets::List(chosen.map(|(index, _)| sites[*index].module.clone()).collect())
}

fn with_defaults(config: &AdapterConfig, model_type: &str) -> Result<(Targets, Targets)> {
    let defaults = default_targets(model_type);
    let field = |value: &Option<Targets>, option: &str, names: Option<&[&str]>| match (value, names) {
        (Some(targets), _) => Ok(targets.clone()),
        (None, Some(names)) => Ok(Targets::List(names.iter().map(|name| name.to_string()).collect())),
        (None, None) => Err(Error::BadOption {
            option: option.into(),
            reason: format!("is needed: PEFT has no default for model_type '{model_type}'"),
        }),
    };
    let targets = field(&config.target_modules, "targetModules", defaults.map(|pair| pair.0))?;
    let feedforward = field(&config.feedforward_modules, "feedforwardModules", defaults.map(|pair| pair.1))?;
    Ok((targets, feedforward))
}

/// Names of modules that are trained whole. PEFT protects what equals such a name or lies below one, by a pattern into
/// which it puts the name unescaped.
struct Protected<'a> {
    /// Names in which nothing has a meaning in a pattern: one part of a path must be equal.
    plain: Vec<&'a str>,
    patterns: Vec<Pattern>,
}

impl<'a> Protected<'a> {
    fn new(config: &'a AdapterConfig, head_modules: &[&'a str]) -> Result<Self> {
        let automatic = if config.task_type == Some(TaskType::SeqCls) { &CLASSIFIERS[..] } else { &[] };
        let saved = config.modules_to_save.iter().flatten().map(String::as_str);
        let names = saved.chain(automatic.iter().copied()).chain(head_modules.iter().copied());
        let is_plain = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let (plain, others): (Vec<_>, Vec<_>) = names.partition(is_plain);
        let pattern = |name| Pattern::prefix(&format!(r"(^|.*\.){name}($|\..*)"));
        Ok(Protected { plain, patterns: others.into_iter().map(pattern).collect::<Result<_>>()? })
    }

    fn matches(&self, path: &str) -> Result<bool> {
        if path.split('.').any(|part| self.plain.contains(&part)) {
            return Ok(true);
        }
        for pattern in &self.patterns {
            if pattern.matches(path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a tensor belongs to a module that PEFT trained whole.
pub(super) fn lies_in_saved_module(config: &AdapterConfig, tensor: &str) -> Result<bool> {
    Protected::new(config, &[])?.matches(tensor)
}

fn is_all_linear(targets: &Targets) -> bool {
    matches!(targets, Targets::Regex(pattern) if pattern.eq_ignore_ascii_case("all-linear"))
}

fn describe(targets: &Targets) -> String {
    match targets {
        Targets::Regex(pattern) => format!("'{pattern}'"),
        Targets::List(names) => names.join(", "),
    }
}

/// A field of the configuration, ready to match.
enum Rule<'a> {
    Names(&'a [String]),
    Pattern(Pattern),
}

impl Rule<'_> {
    fn new(targets: &Targets) -> Result<Rule<'_>> {
        match targets {
            Targets::List(names) => Ok(Rule::Names(names)),
            Targets::Regex(pattern) => Pattern::fullmatch(pattern).map(Rule::Pattern),
        }
    }

    /// Whole path or what follows a dot.
    fn matches(&self, module: &str) -> Result<bool> {
        match self {
            Rule::Names(names) => Ok(names.iter().any(|name| {
                module.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })),
            Rule::Pattern(pattern) => pattern.matches(module),
        }
    }

    /// Any ending of the path.
    fn ends(&self, module: &str) -> Result<bool> {
        match self {
            Rule::Names(names) => Ok(names.iter().any(|name| module.ends_with(name.as_str()))),
            Rule::Pattern(pattern) => pattern.matches(module),
        }
    }
}
