"""The engine, and the names a node author needs."""

from graph.bounds import AtMost as AtMost
from graph.context import NO_CONTEXT as NO_CONTEXT
from graph.context import Cancelled as Cancelled
from graph.context import Context as Context
from graph.context import OutputFile as OutputFile
from graph.fragment import Body as Body
from graph.fragment import Lazy as Lazy
from graph.fragment import call as call
from graph.node import node as node
from graph.widgets import Choice as Choice
from graph.widgets import Colour as Colour
from graph.widgets import Curve as Curve
from graph.widgets import Gives as Gives
from graph.widgets import InputFile as InputFile
from graph.widgets import ModelFile as ModelFile
from graph.widgets import OutputName as OutputName
from graph.widgets import Seed as Seed
from graph.widgets import Slider as Slider
from graph.widgets import Text as Text
from graph.widgets import Toggle as Toggle
