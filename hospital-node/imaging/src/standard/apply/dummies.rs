//! What stands where a value may not stay: what the class demands there, and nothing where it demands nothing.

use std::borrow::Cow;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR, header::Length, value::DataSetSequence};
use dicom_object::InMemDicomObject;
use snowball_confidentiality::{Action, AttributeType};

use super::{Applied, Written, ours};
use crate::standard::{
    tree::{Element, standard_vr},
    values,
};

impl Applied<'_> {
    /// A value that may not stay gives way to what the class demands.
    pub(super) fn without(
        &mut self,
        element: &Element<'_>,
        vr: VR,
        demand: AttributeType,
        path: &[Tag],
        reason: &'static str,
    ) -> (Action, Cow<'static, str>, Written) {
        let reason = reason.into();
        match demand {
            AttributeType::Required | AttributeType::Conditional => {
                (Action::Dummy, reason, self.dummy(vr, element.tag, path))
            }
            AttributeType::RequiredMaybeEmpty | AttributeType::ConditionalMaybeEmpty => {
                (Action::Empty, reason, Written::Value(vr, PrimitiveValue::Empty))
            }
            AttributeType::Optional => (Action::Remove, reason, Written::Nothing),
        }
    }

    pub(super) fn dummy(&mut self, vr: VR, tag: Tag, path: &[Tag]) -> Written {
        match vr {
            VR::SQ => {
                let inner: Vec<_> = path.iter().chain([&tag]).copied().collect();
                Written::Items(vec![self.dummy_item(&inner)])
            }
            VR::UI => {
                let uid = self.standard.key.uid("dummy");
                self.seen.minted_uids.insert(uid.clone());
                Written::Value(vr, uid.into())
            }
            _ => Written::Value(vr, values::dummy(vr).unwrap_or(PrimitiveValue::Empty)),
        }
    }

    /// An item with what the class demands in it: Type 1 as dummies, Type 2 empty.
    fn dummy_item(&mut self, path: &[Tag]) -> InMemDicomObject {
        let our_path: Vec<_> = path.iter().map(|tag| ours(*tag)).collect();
        let mut item = InMemDicomObject::new_empty();
        for (tag, demand) in self.class.listed(&our_path) {
            let tag = Tag(tag.0, tag.1);
            let vr = standard_vr(tag).unwrap_or(VR::UN);
            let written = match demand {
                AttributeType::Required => self.dummy(vr, tag, path),
                AttributeType::RequiredMaybeEmpty => Written::Value(vr, PrimitiveValue::Empty),
                _ => continue,
            };
            match written {
                Written::Value(vr, value) => drop(item.put(DataElement::new(tag, vr, value))),
                Written::Items(items) => {
                    item.put(DataElement::new(
                        tag,
                        VR::SQ,
                        DataSetSequence::new(items, Length::UNDEFINED),
                    ));
                }
                Written::Nothing => {}
            }
        }
        item
    }
}
