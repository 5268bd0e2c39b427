//! Typed access to a node's attributes.

use crate::onnx::{AttributeProto, GraphProto, SparseTensorProto, TensorProto, TypeProto};
use crate::stop::{Result, invalid};

/// A node's attributes. Every getter returns `None` for an absent attribute and an error for one of another type.
#[derive(Clone, Debug, Default)]
pub struct Attributes<'m> {
    own: &'m [AttributeProto],
    /// Inside a function, where some are references: all that have a value, by the name that the node gives them.
    /// Nothing is copied: an attribute may be as large as the file, and the function be called often.
    bound: Option<Vec<(&'m str, &'m AttributeProto)>>,
}

impl<'m> Attributes<'m> {
    /// A node's own.
    pub fn of(own: &'m [AttributeProto]) -> Attributes<'m> {
        Attributes { own, bound: None }
    }

    /// The attributes of a function's node: references take their value from the function's call, else from its defaults.
    pub fn bind(own: &'m [AttributeProto], actual: &Attributes<'m>, defaults: &'m [AttributeProto]) -> Attributes<'m> {
        if own.iter().all(|attribute| attribute.ref_attr_name.is_empty()) {
            return Attributes::of(own);
        }
        let bound = own.iter().filter_map(|attribute| {
            let value = match attribute.ref_attr_name.as_str() {
                "" => attribute,
                name => actual.find(name).or_else(|| defaults.iter().find(|default| default.name == name))?,
            };
            Some((attribute.name.as_str(), value))
        });
        Attributes { own, bound: Some(bound.collect()) }
    }

    /// All that have a value, by the name that the node gives them.
    pub fn all(&self) -> Vec<(&'m str, &'m AttributeProto)> {
        match &self.bound {
            None => self.own.iter().map(|attribute| (attribute.name.as_str(), attribute)).collect(),
            Some(bound) => bound.clone(),
        }
    }

    fn find(&self, name: &str) -> Option<&'m AttributeProto> {
        match &self.bound {
            None => self.own.iter().find(|attribute| attribute.name == name),
            Some(bound) => bound.iter().find(|(given, _)| *given == name).map(|(_, attribute)| *attribute),
        }
    }

    fn typed<T>(&self, name: &str, kind: &str, get: impl Fn(&AttributeProto) -> Option<T>) -> Result<Option<T>> {
        match self.find(name).map(|attribute| (get(attribute), attribute)) {
            None => Ok(None),
            Some((Some(value), _)) => Ok(Some(value)),
            // A reference to a function attribute that the call leaves out means that the attribute is absent.
            Some((None, attribute)) if !attribute.ref_attr_name.is_empty() => Ok(None),
            Some((None, _)) => invalid(format!("the attribute `{name}` must be {kind}")),
        }
    }

    /// Whether the attribute is there.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some_and(|attribute| attribute.ref_attr_name.is_empty())
    }

    /// An integer.
    pub fn int(&self, name: &str) -> Result<Option<i64>> {
        self.typed(name, "an integer", |attribute| attribute.i)
    }

    /// An integer, `default` where absent.
    pub fn int_or(&self, name: &str, default: i64) -> Result<i64> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    /// A number.
    pub fn float(&self, name: &str) -> Result<Option<f64>> {
        self.typed(name, "a number", |attribute| attribute.f.map(f64::from))
    }

    /// A string, which must be UTF-8.
    pub fn string(&self, name: &str) -> Result<Option<&str>> {
        match self.find(name) {
            None => Ok(None),
            Some(attribute) => match attribute.s.as_ref().map(|text| std::str::from_utf8(text)) {
                Some(Ok(text)) => Ok(Some(text)),
                None if !attribute.ref_attr_name.is_empty() => Ok(None),
                _ => invalid(format!("the attribute `{name}` must be a UTF-8 string")),
            },
        }
    }

    /// A list of integers; a list without elements is an empty list.
    pub fn ints(&self, name: &str) -> Result<Option<&[i64]>> {
        let list = self.find(name).filter(|attribute| attribute.ref_attr_name.is_empty());
        match list {
            Some(one)
                if one.ints.is_empty()
                    && (one.i.is_some() || one.s.is_some() || one.f.is_some() || one.t.is_some()) =>
            {
                invalid(format!("the attribute `{name}` must be a list of integers"))
            }
            list => Ok(list.map(|attribute| &attribute.ints[..])),
        }
    }

    /// A list of numbers.
    pub fn floats(&self, name: &str) -> Result<Option<&[f32]>> {
        let list = self.find(name).filter(|attribute| attribute.ref_attr_name.is_empty());
        Ok(list.map(|attribute| &attribute.floats[..]))
    }

    /// A list of strings.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<&str>>> {
        let list = self.find(name).filter(|attribute| attribute.ref_attr_name.is_empty());
        let text =
            |bytes| std::str::from_utf8(bytes).map_err(|_| format!("the attribute `{name}` must hold UTF-8").into());
        list.map(|attribute| attribute.strings.iter().map(|bytes| text(bytes)).collect()).transpose()
    }

    /// A tensor.
    pub fn tensor(&self, name: &str) -> Result<Option<&TensorProto>> {
        match self.find(name) {
            None => Ok(None),
            Some(attribute) if attribute.t.is_some() || !attribute.ref_attr_name.is_empty() => {
                Ok(attribute.t.as_deref())
            }
            Some(_) => invalid(format!("the attribute `{name}` must be a tensor")),
        }
    }

    /// A sparse tensor.
    pub fn sparse_tensor(&self, name: &str) -> Option<&SparseTensorProto> {
        self.find(name)?.sparse_tensor.as_deref()
    }

    /// A graph: the body of a control-flow node.
    pub fn graph(&self, name: &str) -> Option<&GraphProto> {
        self.find(name)?.g.as_deref()
    }

    /// A type.
    pub fn type_proto(&self, name: &str) -> Option<&TypeProto> {
        self.find(name)?.tp.as_deref()
    }
}
