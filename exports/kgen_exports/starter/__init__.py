"""Starters: small projects of native apps around an exported model, for engineers to go on with.

```python
from kgen_exports.runtime import load
from kgen_exports.starter import write_starter

write_starter(load("out/"), "kotlin", Path("shoes"), name="Shoes")
```
"""

from kgen_exports.starter.project import write_starter

__all__ = ["write_starter"]
